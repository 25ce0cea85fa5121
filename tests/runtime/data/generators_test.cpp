#include "runtime/data/generators.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "runtime/core/error.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::data {
namespace {

using testing::HasSubstr;

GeneratorConfig of(const std::string& name, std::int64_t n, std::int64_t d, std::int64_t seed = 1) {
  GeneratorConfig config;
  config.name = name;
  config.n = n;
  config.d = d;
  config.seed = seed;
  return config;
}

/// generator = { TEXT } as a problem file would say it.
GeneratorConfig parsed(const std::string& text) {
  const test::TemporaryDirectory folder;
  test::write_bytes(folder.file("p.toml"), "generator = { " + text + " }\n");
  const config::Value root = config::parse_toml_file(folder.file("p.toml"));
  config::Value resolved{config::Table{}, "", ""};
  return config::read<GeneratorConfig>(root, "generator", resolved);
}

std::string refusal(const std::string& text) {
  return test::message_of<ConfigError>([&] { generate(parsed(text)); });
}

struct Moments {
  std::vector<double> mean;
  std::vector<double> covariance;
};
/// By the definition, 1/n.
Moments moments_of(const std::vector<double>& points, std::size_t d) {
  const std::size_t n = points.size() / d;
  Moments moments{std::vector<double>(d, 0.0), std::vector<double>(d * d, 0.0)};
  for (std::size_t i = 0; i < n * d; ++i) {
    moments.mean[i % d] += points[i] / static_cast<double>(n);
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < d * d; ++k) {
      moments.covariance[k] += (points[i * d + k / d] - moments.mean[k / d]) *
                               (points[i * d + k % d] - moments.mean[k % d]) /
                               static_cast<double>(n);
    }
  }
  return moments;
}

const std::vector<std::string> kNames = {"gaussian", "gaussian_mixture", "uniform_cube"};

TEST(Generators, are_pure_functions_of_the_seed) {
  for (const std::string& name : kNames) {
    EXPECT_EQ(generate(of(name, 50, 3)), generate(of(name, 50, 3))) << name;
    EXPECT_NE(generate(of(name, 50, 3)), generate(of(name, 50, 3, 2))) << name;
  }
}

TEST(Generators, start_a_longer_cloud_with_the_shorter_one) {
  for (const std::string& name : kNames) {
    const auto shorter = generate(of(name, 10, 3));
    auto longer = generate(of(name, 20, 3));
    longer.resize(shorter.size());
    EXPECT_EQ(longer, shorter) << name;
  }
}

GeneratorConfig field(std::int64_t n, double blur) {
  GeneratorConfig config = of("random_field", n, 64);
  config.blur = blur;
  return config;
}

TEST(RandomField, is_a_pure_function_of_the_seed_that_grows) {
  const auto shorter = generate(field(3, 1));
  auto longer = generate(field(5, 1));
  longer.resize(shorter.size());
  EXPECT_EQ(longer, shorter);
}

/// Variance 1 per pixel on average, and neighbours alike.
TEST(RandomField, is_smooth) {
  const auto points = generate(field(4000, 0));
  double square = 0;
  double step = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    square += points[i] * points[i];
    if (i % 8 != 7) step += (points[i + 1] - points[i]) * (points[i + 1] - points[i]);
  }
  const auto size = static_cast<double>(points.size());
  // 4000 images whose variance lies in a dozen modes: 2 sqrt(2 / 48000) is 1.3 %.
  EXPECT_NEAR(square / size, 1, .06);
  EXPECT_LT(step / (size * 7 / 8), 1);  // of independent pixels: 2
}

/// Against the kernel itself, with the image mirrored at its borders.
TEST(RandomField, is_blurred_by_a_gaussian_kernel) {
  const auto sharp = generate(field(2, 0));
  const auto blurred = generate(field(2, 1.5));
  const auto mirrored = [](int k) {
    const int cycle = ((k % 16) + 16) % 16;
    return static_cast<std::size_t>(cycle < 8 ? cycle : 15 - cycle);
  };
  for (std::size_t image = 0; image < 2; ++image) {
    for (int row = 0; row < 8; ++row) {
      for (int column = 0; column < 8; ++column) {
        double sum = 0;
        double mass = 0;
        for (int i = -15; i <= 15; ++i) {
          for (int j = -15; j <= 15; ++j) {
            const double weight = std::exp(-(i * i + j * j) / (2 * 1.5 * 1.5));
            mass += weight;
            sum += weight * sharp[image * 64 + mirrored(row + i) * 8 + mirrored(column + j)];
          }
        }
        const std::size_t at = image * 64 + static_cast<std::size_t>(row * 8 + column);
        // Sampled at pixels, the kernel sees a frequency f (in cycles, up to 7/16) also as 1 - f:
        // a factor exp(-2 pi^2 1.5^2 (9/16)^2) = 8e-7 at most, in each direction.
        EXPECT_NEAR(blurred[at], sum / mass, 2e-6);
      }
    }
  }
}

TEST(RandomField, refuses_what_is_no_image) {
  EXPECT_THAT(refusal("name = \"random_field\", n = 2, d = 60"), HasSubstr("square"));
  EXPECT_THAT(refusal("name = \"random_field\", n = 2, d = 64, blur = -1"), HasSubstr("blur"));
  EXPECT_THAT(refusal("name = \"random_field\", n = 2, d = 64, decay = -1"), HasSubstr("decay"));
  EXPECT_THAT(refusal("name = \"random_field\", n = 2, d = 64, mean = [1]"), HasSubstr("mean"));
}

TEST(Generators, accept_negative_seeds) {
  EXPECT_NE(generate(of("gaussian", 5, 2, -1)), generate(of("gaussian", 5, 2, 1)));
}

TEST(Gaussian, has_the_mean_and_covariance_asked_for) {
  GeneratorConfig config = of("gaussian", 40000, 2);
  config.mean = {3, -1};
  config.covariance = {2, 0.5, 0.5, 1};
  const Moments moments = moments_of(generate(config), 2);
  const double error = 5 / std::sqrt(40000.0);  // five standard errors of a unit variance
  EXPECT_NEAR(moments.mean[0], 3, error * std::sqrt(2.0));
  EXPECT_NEAR(moments.mean[1], -1, error);
  // Var(s_ij) = (s_ii s_jj + s_ij^2) / n.
  EXPECT_NEAR(moments.covariance[0], 2, error * std::sqrt(8.0));
  EXPECT_NEAR(moments.covariance[1], 0.5, error * std::sqrt(2.25));
  EXPECT_NEAR(moments.covariance[3], 1, error * std::sqrt(2.0));
}

TEST(Gaussian, wishart_covariance_is_positive_has_trace_one_and_is_no_multiple_of_the_identity) {
  GeneratorConfig config = of("gaussian", 10, 6);
  config.wishart = true;
  const GaussianLaw law = *gaussian_law(config);
  double trace = 0;
  double off_diagonal = 0;
  for (std::size_t k = 0; k < 6; ++k) trace += law.covariance[k * 7];
  for (std::size_t k = 1; k < 6; ++k) off_diagonal += std::abs(law.covariance[k]);
  EXPECT_NEAR(trace, 1, test::tol<double>(6));
  EXPECT_GT(off_diagonal, 1e-3);
  GeneratorConfig other = config;
  other.seed = 2;
  EXPECT_NE(gaussian_law(other)->covariance, law.covariance);
}

TEST(Gaussian, draws_from_its_wishart_covariance) {
  GeneratorConfig config = of("gaussian", 20000, 4);
  config.wishart = true;
  const GaussianLaw law = *gaussian_law(config);
  const Moments moments = moments_of(generate(config), 4);
  for (std::size_t k = 0; k < 16; ++k) {
    const double ii = law.covariance[k / 4 * 5], jj = law.covariance[k % 4 * 5];
    const double deviation = std::sqrt((ii * jj + law.covariance[k] * law.covariance[k]) / 20000);
    EXPECT_NEAR(moments.covariance[k], law.covariance[k], 5 * deviation);
  }
}

TEST(Gaussian, exact_moments_are_exact) {
  for (const std::int64_t n : {9, 1000}) {  // n = d + 1: the covariance before is nearly singular
    GeneratorConfig config = of("gaussian", n, 8);
    config.mean = {1, 2, 3, 4, 5, 6, 7, 8};
    config.wishart = true;
    config.exact_moments = true;
    const GaussianLaw law = *gaussian_law(config);
    const Moments moments = moments_of(generate(config), 8);
    for (std::size_t k = 0; k < 8; ++k) EXPECT_NEAR(moments.mean[k], law.mean[k], 1e-13);
    // Rounding of values up to |mean| + 3 in a sum of squares of size 1.
    for (std::size_t k = 0; k < 64; ++k) {
      EXPECT_NEAR(moments.covariance[k], law.covariance[k], 1e-13) << n;
    }
  }
}

TEST(Gaussian, law_is_known_for_gaussians_only) {
  EXPECT_FALSE(gaussian_law(of("uniform_cube", 3, 2)).has_value());
  EXPECT_FALSE(gaussian_law(of("gaussian_mixture", 3, 2)).has_value());
  const GaussianLaw law = *gaussian_law(of("gaussian", 3, 2));
  EXPECT_EQ(law.mean, (std::vector<double>{0, 0}));
  EXPECT_EQ(law.covariance, (std::vector<double>{1, 0, 0, 1}));
}

TEST(GaussianMixture, puts_equal_parts_about_distinct_centres) {
  GeneratorConfig config = of("gaussian_mixture", 9000, 2);
  config.components = 3;
  config.centre_scale = 50;
  config.component_scale = 1e-6;
  const auto points = generate(config);
  std::vector<std::pair<double, int>> centres;
  for (std::size_t i = 0; i < 9000; ++i) {
    const double x = points[2 * i];
    const auto near = std::find_if(centres.begin(), centres.end(), [&](const auto& centre) {
      return std::abs(centre.first - x) < 1e-4;
    });
    if (near == centres.end()) {
      centres.emplace_back(x, 1);
    } else {
      ++near->second;
    }
  }
  ASSERT_EQ(centres.size(), 3u);
  // Binomial(9000, 1/3): standard deviation 44.7; five of them.
  for (const auto& [x, count] : centres) EXPECT_NEAR(count, 3000, 224);
}

TEST(GaussianMixture, has_the_spread_of_its_components) {
  GeneratorConfig config = of("gaussian_mixture", 20000, 3);
  config.components = 1;
  config.component_scale = 0.3;
  const Moments moments = moments_of(generate(config), 3);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(moments.covariance[k * 4], 0.09, 5 * 0.09 * std::sqrt(2.0 / 20000));
  }
}

TEST(GaussianMixture, centres_have_the_scale_asked_for) {
  GeneratorConfig config = of("gaussian_mixture", 4000, 1);
  config.components = 1000000;  // so many that each point has its own centre
  config.centre_scale = 4;
  config.component_scale = 3;
  const Moments moments = moments_of(generate(config), 1);
  EXPECT_NEAR(moments.covariance[0], 25, 5 * 25 * std::sqrt(2.0 / 4000));
}

TEST(UniformCube, fills_the_cube_of_side_two_over_root_d) {
  const auto points = generate(of("uniform_cube", 20000, 4));
  double sum = 0, sum_of_squares = 0, largest = 0;
  for (const double x : points) {
    sum += x;
    sum_of_squares += x * x;
    largest = std::max(largest, std::abs(x));
  }
  const double count = 80000;
  EXPECT_LE(largest, 0.5);
  EXPECT_GT(largest, 0.4999);
  EXPECT_NEAR(sum / count, 0, 5 * std::sqrt(1 / 12.0 / count));
  EXPECT_NEAR(sum_of_squares / count, 1 / 12.0, 5 * std::sqrt(1 / 180.0 / count));
}

TEST(GeneratorConfig, reads_every_field) {
  const GeneratorConfig config = parsed(
      "name = \"gaussian\", n = 7, d = 2, seed = 5, mean = [1, 2.5], covariance = [[2, 0.5], [0.5, "
      "1]], exact_moments = true");
  EXPECT_EQ(config.n, 7);
  EXPECT_EQ(config.d, 2);
  EXPECT_EQ(config.seed, 5);
  EXPECT_EQ(config.mean, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(config.covariance, (std::vector<double>{2, 0.5, 0.5, 1}));
  EXPECT_TRUE(config.exact_moments);
  EXPECT_TRUE(parsed("name = \"gaussian\", n = 7, d = 2, covariance = \"wishart\"").wishart);
  EXPECT_FALSE(parsed("name = \"gaussian\", n = 7, d = 2, covariance = \"identity\"").wishart);
  const GeneratorConfig mixture = parsed(
      "name = \"gaussian_mixture\", n = 7, d = 2, components = 5, centre_scale = 2, "
      "component_scale = 0.1");
  EXPECT_EQ(mixture.components, 5);
  EXPECT_EQ(mixture.centre_scale, 2);
  EXPECT_EQ(mixture.component_scale, 0.1);
}

TEST(GeneratorConfig, refuses_names_and_keys_it_does_not_know) {
  EXPECT_THAT(refusal("name = \"gausian\", n = 1, d = 1"), HasSubstr("gaussian"));
  EXPECT_THAT(refusal("n = 1, d = 1"), HasSubstr("name is missing"));
  EXPECT_THAT(refusal("name = \"gaussian\", n = 1, d = 1, compnents = 2"), HasSubstr("compnents"));
  EXPECT_THAT(refusal("name = \"uniform_cube\", n = 1, d = 1, mean = [0]"), HasSubstr("mean"));
}

TEST(GeneratorConfig, refuses_sizes_out_of_range) {
  EXPECT_THAT(refusal("name = \"gaussian\", d = 1"), HasSubstr("n = 0"));
  EXPECT_THAT(refusal("name = \"gaussian\", n = 1, d = -1"), HasSubstr("d = -1"));
  EXPECT_THAT(refusal("name = \"gaussian\", n = 9223372036854775807, d = 2"), HasSubstr("2^40"));
  EXPECT_THAT(refusal("name = \"gaussian\", n = 1, d = 4294967296"), HasSubstr("2^20"));
  EXPECT_THAT(refusal("name = \"gaussian_mixture\", n = 1, d = 1, components = 0"),
              HasSubstr("components"));
  EXPECT_THAT(refusal("name = \"gaussian_mixture\", n = 1, d = 1, centre_scale = -1"),
              HasSubstr("centre_scale"));
  EXPECT_THAT(refusal("name = \"gaussian_mixture\", n = 1, d = 1, component_scale = -1"),
              HasSubstr("component_scale"));
}

TEST(GeneratorConfig, refuses_moments_that_do_not_fit) {
  const std::string head = "name = \"gaussian\", n = 9, d = 2, ";
  EXPECT_THAT(refusal(head + "mean = [1]"), HasSubstr("mean has 1"));
  EXPECT_THAT(refusal(head + "covariance = [[1]]"), HasSubstr("d x d = 4"));
  EXPECT_THAT(refusal(head + "covariance = [[1, 0], [0]]"), HasSubstr("one of them of 1"));
  EXPECT_THAT(refusal(head + "covariance = [1, 2]"), HasSubstr("covariance"));
  EXPECT_THAT(refusal(head + "covariance = [[1, \"a\"], [0, 1]]"), HasSubstr("covariance"));
  EXPECT_THAT(refusal(head + "covariance = []"), HasSubstr("empty"));
  EXPECT_THAT(refusal(head + "covariance = 3"), HasSubstr("covariance"));
  EXPECT_THAT(refusal(head + "covariance = \"wishhart\""), HasSubstr("wishhart"));
  EXPECT_THAT(refusal(head + "covariance = [[1, 0.5], [0.4, 1]]"), HasSubstr("not symmetric"));
  EXPECT_THAT(refusal(head + "covariance = [[1, 2], [2, 1]]"), HasSubstr("not positive definite"));
  EXPECT_THAT(refusal(head + "covariance = [[inf, 0], [0, 1]]"), HasSubstr("finite"));
  EXPECT_THAT(refusal("name = \"gaussian\", n = 2, d = 2, exact_moments = true"),
              HasSubstr("n > d"));
}

}  // namespace
}  // namespace kantor::data
