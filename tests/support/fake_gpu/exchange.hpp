#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace kantor::fake_gpu {

/// Everybody's bytes to everybody, by plain messages: each rank then computes the same by itself,
/// in rank order. Advances only inside is_done().
class Exchange {
 public:
  /// Memory and requests of one that was given up stay, since a late message may come in.
  static std::shared_ptr<Exchange> begin(int tag, int rank,
                                         std::vector<std::vector<std::byte>> all);
  bool is_done();
  /// One entry a rank.
  const std::vector<std::vector<std::byte>>& all() const { return all_; }

 private:
  struct Requests;
  Exchange(int tag, int rank, std::vector<std::vector<std::byte>> all);

  std::vector<std::vector<std::byte>> all_;
  std::shared_ptr<Requests> requests_;
};

}  // namespace kantor::fake_gpu
