#include "distributed/communicator.hpp"

#include <functional>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {

const char* Communicator::name(Verb verb) {
  switch (verb) {
    case Verb::all_reduce:
      return "all_reduce";
    case Verb::all_gather:
      return "all_gather";
    case Verb::reduce_scatter:
      return "reduce_scatter";
    case Verb::broadcast:
      return "broadcast";
    case Verb::barrier:
      return "barrier";
    case Verb::agree:
      break;
  }
  return "agree";
}

std::string Communicator::Call::text() const {
  return concat(name(verb), " #", number, " (", what, ", ",
                format_bytes(static_cast<double>(bytes)), ")",
                step > 0 ? concat(" at step ", step) : "");
}

void Communicator::check_reducible(ElementType type, Verb verb, std::string_view what) {
  if (type == ElementType::byte) {
    throw ValueError(concat(name(verb), " (", what,
                            ") of bytes: bytes have no sum or maximum; pass numbers, or gather"));
  }
}

void Communicator::check_overlap(const void* a, std::size_t a_bytes, const void* b,
                                 std::size_t b_bytes, Verb verb, std::string_view what) {
  if (a_bytes == 0 || b_bytes == 0) return;
  const auto* a_first = static_cast<const std::byte*>(a);
  const auto* b_first = static_cast<const std::byte*>(b);
  const std::less<> before;  // a total order over unrelated pointers, unlike <
  if (before(a_first, b_first + b_bytes) && before(b_first, a_first + a_bytes)) {
    throw ValueError(concat(name(verb), " (", what,
                            "): the part and the whole overlap in memory; pass two buffers"));
  }
}

void Communicator::check_sizes(std::size_t all, std::size_t part, Verb verb,
                               std::string_view what) const {
  const auto ranks = static_cast<std::size_t>(size());
  if (all % ranks == 0 && all / ranks == part) return;
  throw ShapeError(concat(name(verb), " (", what, "): the part has ", part,
                          " elements and the whole ", all, " on ", ranks,
                          " ranks; expected a whole of ranks x part elements"));
}

void Communicator::check_root(int root, std::string_view what) const {
  if (root >= 0 && root < size()) return;
  throw ValueError(
      concat("broadcast (", what, ") from root ", root, "; expected a rank of 0 to ", size() - 1));
}

void Communicator::barrier(std::string_view what) {
  const Counted counted(*this, &CommCounts::barrier, Verb::barrier, what, 0);
  do_barrier(counted.call());
}

std::int64_t Communicator::agree(std::int64_t value, std::string_view what) {
  const Counted counted(*this, &CommCounts::agree, Verb::agree, what, sizeof value);
  return do_agree(value, counted.call());
}

void Communicator::synchronize() {
  synchronize_until([] { return false; });
}

void Communicator::synchronize_until(const std::function<bool()>& is_enough) {
  const double start_s = monotonic_seconds();
  do_synchronize(is_enough);
  const double waited_s = monotonic_seconds() - start_s;
  counts_.wait_s += waited_s;
  if (last_end_s_ > 0) last_end_s_ += waited_s;  // no work of this rank's own: no later deadline
}

}  // namespace kantor
