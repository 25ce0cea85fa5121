#include "distributed/collectively.hpp"

#include <exception>

#include "runtime/core/out_of_memory.hpp"

namespace kantor {

namespace {

constexpr std::int64_t kCodes = 256;  // exit codes fit in a byte

struct Verdict {
  std::exception_ptr error;
  ExitCode code = ExitCode::done;
};

/// Nothing thrown, or what was.
Verdict attempt(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    return {std::current_exception(), error.exit_code()};
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) return {std::current_exception(), ExitCode::internal};
    const ConfigError failure = out_of_memory_error();
    return {std::make_exception_ptr(failure), failure.exit_code()};
  } catch (...) {
    return {std::current_exception(), ExitCode::internal};
  }
}

}  // namespace

void collectively(Communicator& world, std::string_view what, const std::function<void()>& work) {
  const Verdict mine = attempt(work);
  // The maximum is that of the lowest failing rank, and carries its code.
  const std::int64_t claim =
      mine.error ? (world.size() - world.rank()) * kCodes + static_cast<std::int64_t>(mine.code)
                 : 0;
  const std::int64_t agreed = world.agree(claim, what);
  if (agreed == 0) return;
  if (agreed != claim) throw PeerError(static_cast<ExitCode>(agreed % kCodes));
  try {
    std::rethrow_exception(mine.error);
  } catch (Error& error) {
    error.mark_agreed();
    throw;
  } catch (const std::exception& error) {
    NumericError internal(error.what());
    internal.mark_agreed();
    throw internal;
  }
}

}  // namespace kantor
