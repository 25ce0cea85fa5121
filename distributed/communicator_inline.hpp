#pragma once
// Typed front of Communicator; included by communicator.hpp only.

#include <cstddef>
#include <type_traits>

#include "runtime/core/process.hpp"

namespace kantor {

template <class T>
constexpr ElementType element_type() {
  if constexpr (std::is_same_v<T, float>) {
    return ElementType::float32;
  } else if constexpr (std::is_same_v<T, double>) {
    return ElementType::float64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return ElementType::int32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return ElementType::int64;
  } else {
    static_assert(std::is_same_v<T, std::byte>, "float, double, int32_t, int64_t or std::byte");
    return ElementType::byte;
  }
}

constexpr std::int64_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::float32:
    case ElementType::int32:
      return 4;
    case ElementType::float64:
    case ElementType::int64:
      return 8;
    case ElementType::byte:
      break;
  }
  return 1;
}

class Communicator::Counted {
 public:
  Counted(Communicator& owner, std::int64_t CommCounts::*counter, Verb verb, std::string_view what,
          std::size_t bytes)
      : owner_(owner),
        start_s_(monotonic_seconds()),
        call_{verb,
              what,
              ++owner.num_calls_,
              static_cast<std::int64_t>(bytes),
              owner.step_,
              owner.deadline_s(start_s_)} {
    ++(owner_.counts_.*counter);
    owner_.counts_.bytes += call_.bytes;
  }
  ~Counted() {
    owner_.last_end_s_ = monotonic_seconds();
    owner_.counts_.wait_s += owner_.last_end_s_ - start_s_;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  const Call& call() const { return call_; }

 private:
  Communicator& owner_;
  double start_s_;
  Call call_;
};

template <class T>
void Communicator::all_reduce(std::span<T> buffer, ReduceOp op, std::string_view what) {
  check_reducible(element_type<T>(), Verb::all_reduce, what);
  const Counted counted(*this, &CommCounts::all_reduce, Verb::all_reduce, what,
                        buffer.size_bytes());
  do_all_reduce(buffer.data(), std::ssize(buffer), element_type<T>(), op, counted.call());
}

template <class T>
void Communicator::all_gather(std::span<const T> part, std::span<T> all, std::string_view what) {
  check_sizes(all.size(), part.size(), Verb::all_gather, what);
  check_overlap(part.data(), part.size_bytes(), all.data(), all.size_bytes(), Verb::all_gather,
                what);
  const Counted counted(*this, &CommCounts::all_gather, Verb::all_gather, what, part.size_bytes());
  do_all_gather(part.data(), all.data(), std::ssize(part), element_type<T>(), counted.call());
}

template <class T>
void Communicator::reduce_scatter(std::span<const T> all, std::span<T> part,
                                  std::string_view what) {
  check_reducible(element_type<T>(), Verb::reduce_scatter, what);
  check_sizes(all.size(), part.size(), Verb::reduce_scatter, what);
  check_overlap(part.data(), part.size_bytes(), all.data(), all.size_bytes(), Verb::reduce_scatter,
                what);
  const Counted counted(*this, &CommCounts::reduce_scatter, Verb::reduce_scatter, what,
                        all.size_bytes());
  do_reduce_scatter(all.data(), part.data(), std::ssize(part), element_type<T>(), counted.call());
}

template <class T>
void Communicator::broadcast(std::span<T> buffer, int root, std::string_view what) {
  check_root(root, what);
  const Counted counted(*this, &CommCounts::broadcast, Verb::broadcast, what, buffer.size_bytes());
  do_broadcast(buffer.data(), std::ssize(buffer), element_type<T>(), root, counted.call());
}

}  // namespace kantor
