#include "tests/support/fake_gpu/exchange.hpp"

#include <mpi.h>

#include <set>
#include <stdexcept>
#include <utility>

namespace kantor::fake_gpu {
namespace {

/// Those under way.
std::set<std::shared_ptr<Exchange>>& kept() {
  static std::set<std::shared_ptr<Exchange>> exchanges;
  return exchanges;
}

void check(int code) {
  if (code != MPI_SUCCESS) throw std::runtime_error("MPI failed under the look-alike");
}

}  // namespace

struct Exchange::Requests {
  std::vector<MPI_Request> all;
};

Exchange::Exchange(int tag, int rank, std::vector<std::vector<std::byte>> all)
    : all_(std::move(all)), requests_(std::make_shared<Requests>()) {
  for (int peer = 0; peer < static_cast<int>(all_.size()); ++peer) {
    if (peer == rank) continue;
    auto& theirs = all_[static_cast<std::size_t>(peer)];
    const auto& mine = all_[static_cast<std::size_t>(rank)];
    MPI_Request& receive = requests_->all.emplace_back(MPI_REQUEST_NULL);
    check(MPI_Irecv(theirs.data(), static_cast<int>(theirs.size()), MPI_BYTE, peer, tag,
                    MPI_COMM_WORLD, &receive));
    MPI_Request& send = requests_->all.emplace_back(MPI_REQUEST_NULL);
    check(MPI_Isend(mine.data(), static_cast<int>(mine.size()), MPI_BYTE, peer, tag, MPI_COMM_WORLD,
                    &send));
  }
}

std::shared_ptr<Exchange> Exchange::begin(int tag, int rank,
                                          std::vector<std::vector<std::byte>> all) {
  return *kept().insert(std::shared_ptr<Exchange>(new Exchange(tag, rank, std::move(all)))).first;
}

bool Exchange::is_done() {
  auto& requests = requests_->all;
  if (!requests.empty()) {
    int done = 0;
    check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done,
                      MPI_STATUSES_IGNORE));
    if (done == 0) return false;
    requests.clear();
  }
  std::erase_if(kept(), [this](const auto& one) { return one.get() == this; });
  return true;
}

}  // namespace kantor::fake_gpu
