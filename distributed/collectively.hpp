#pragma once

#include <functional>
#include <string_view>

#include "distributed/communicator.hpp"
#include "runtime/core/error.hpp"

namespace kantor {

/// Thrown on the ranks whose peer met an error; that peer reports it, main keeps silent about this
/// one.
struct PeerError : Error {
  explicit PeerError(ExitCode code) : Error(code, "another rank failed and reports why") {
    mark_agreed();
  }
};

/// Runs `work` on every rank, then lets all ranks fail alike if one did: the lowest rank that
/// failed rethrows its own error, the others throw PeerError with the same exit code. Collective;
/// `work` itself must be local, since a rank that throws in it would leave its peers waiting.
void collectively(Communicator& world, std::string_view what, const std::function<void()>& work);

/// Fails on every rank for a reason that all of them see alike (a reduced number): rank 0 reports.
template <class Failure>
[[noreturn]] void fail_on_all_ranks(const Communicator& world, Failure error) {
  if (world.rank() != 0) throw PeerError(error.exit_code());
  error.mark_agreed();
  throw error;
}

}  // namespace kantor
