// Problem files: what is taken, and written as resolved.toml is, must read back as the same.

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "runtime/config/value.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::fuzz {
namespace {

config::Value parsed(const std::string& text) {
  static const test::TemporaryDirectory folder;
  const std::string path = folder.file("problem.toml");
  std::ofstream(path, std::ios::binary) << text;
  return config::parse_toml_file(path);
}

}  // namespace

Material material() {
  return {.seeds = {R"([problem]
epsilon = { relative = "mean", scale = 0.05 }
marginals = [{ path = "x.npy", rows = [0, 6_000] }, { path = 'y.npy' }]  # points
[solver]
name = "neural"
neural.network = { width = [128, 128], activation = "silu", quadratic = true }
[solver.sinkhorn]
tolerance = 1e-3
)",
                    R"([problem]
epsilon = .5e0
[[problem.marginals]]
generator.name = "gaussian"
generator."mean" = [0.0, -1.5, +inf, nan, 0x1F, 0b11]
[[problem.marginals]]
path = """
several
lines \
    of text\u00e9 \"""" # and a comment
'quoted key' . b = '''as it'is'''
[run]
checkpoint = { every_seconds = 120, keep = 3 }
since = 1979-05-27T07:32:00Z
)",
                    "a.b.c.d = 1\n[e.f.g]\nh = [[1, 2], [3, [4, [5, {x = {y = [ ]}}]]]]\n"},
          .words = {"[[",
                    "]]",
                    "[",
                    "]",
                    "{",
                    "}",
                    "a.",
                    ".",
                    "\"",
                    "\"\"\"",
                    "'''",
                    "=",
                    ",",
                    "\n",
                    "\r\n",
                    "#",
                    "\\",
                    "\\u0041",
                    "\\UFFFFFFFF",
                    "\xff",
                    "\xc3",
                    std::string(1, '\0'),
                    "inf",
                    "-nan",
                    "1e999",
                    "9223372036854775808",
                    "0x",
                    "1_0",
                    "true",
                    "a = 1\n",
                    "[problem]\n",
                    "[[a]]\n",
                    "{a = {",
                    "[[[[[[[[",
                    "a.b.c.d.e.f.g.h."}};
}

void attack(const std::string& input) {
  const std::string text = config::to_toml(parsed(input), false);
  std::string again;
  try {
    again = config::to_toml(parsed(text), false);
  } catch (const std::exception& error) {
    throw std::logic_error(std::string("what was written is refused: ") + error.what());
  }
  if (again != text) throw std::logic_error("what was written reads as something else");
}

}  // namespace kantor::fuzz
