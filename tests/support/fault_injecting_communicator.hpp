#pragma once

#include "distributed/communicator.hpp"
#include "runtime/core/error.hpp"

namespace kantor::test {

/// Hands every call on to another communicator, except one that throws CommError before anything
/// is sent, as do all that come after it. On the other ranks that call waits for its deadline.
class FaultInjectingCommunicator final : public Communicator {
 public:
  static constexpr int kEveryRank = -1;

  /// @param failing_call its number, 1, 2, .. over all verbs.
  FaultInjectingCommunicator(Communicator& inner, std::int64_t failing_call,
                             int failing_rank = kEveryRank)
      : inner_(inner), failing_call_(failing_call), failing_rank_(failing_rank) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  int local_rank() const override { return inner_.local_rank(); }
  int local_size() const override { return inner_.local_size(); }
  std::string backend_name() const override { return inner_.backend_name(); }
  void at_step(std::int64_t step) override {
    Communicator::at_step(step);
    inner_.at_step(step);
  }
  void abort(int exit_code) override { inner_.abort(exit_code); }
  /// How often it was asked to synchronize.
  int num_synchronized() const { return num_synchronized_; }

 protected:
  void do_all_reduce(void* buffer, std::int64_t count, ElementType type, ReduceOp op,
                     const Call& call) override {
    fail_if_due(call);
    with_number(type, [&](auto zero) {
      using T = decltype(zero);
      inner_.all_reduce(span<T>(buffer, count), op, call.what);
    });
  }
  void do_all_gather(const void* part, void* all, std::int64_t part_count, ElementType type,
                     const Call& call) override {
    fail_if_due(call);
    with_element(type, [&](auto zero) {
      using T = decltype(zero);
      inner_.all_gather(span<const T>(part, part_count), span<T>(all, part_count * size()),
                        call.what);
    });
  }
  void do_reduce_scatter(const void* all, void* part, std::int64_t part_count, ElementType type,
                         const Call& call) override {
    fail_if_due(call);
    with_number(type, [&](auto zero) {
      using T = decltype(zero);
      inner_.reduce_scatter(span<const T>(all, part_count * size()), span<T>(part, part_count),
                            call.what);
    });
  }
  void do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                    const Call& call) override {
    fail_if_due(call);
    with_element(type, [&](auto zero) {
      using T = decltype(zero);
      inner_.broadcast(span<T>(buffer, count), root, call.what);
    });
  }
  void do_barrier(const Call& call) override {
    fail_if_due(call);
    inner_.barrier(call.what);
  }
  std::int64_t do_agree(std::int64_t value, const Call& call) override {
    fail_if_due(call);
    return inner_.agree(value, call.what);
  }
  void do_synchronize(const std::function<bool()>& is_enough) override {
    ++num_synchronized_;
    inner_.synchronize_until(is_enough);
  }

 private:
  void fail_if_due(const Call& call) const {
    if (failing_rank_ != kEveryRank && failing_rank_ != rank()) return;
    if (call.number < failing_call_) return;
    if (call.number == failing_call_) throw CommError(concat(call.text(), " failed: injected"));
    throw CommError(concat(call.text(), " refused: #", failing_call_, " failed before"));
  }

  template <class T, class Void>
  static std::span<T> span(Void* buffer, std::int64_t count) {
    return {static_cast<T*>(buffer), static_cast<std::size_t>(count)};
  }
  template <class Body>
  static void with_number(ElementType type, Body&& body) {
    if (type == ElementType::float32) return body(float{});
    if (type == ElementType::float64) return body(double{});
    if (type == ElementType::int32) return body(std::int32_t{});
    body(std::int64_t{});  // bytes were refused by the typed front
  }
  template <class Body>
  static void with_element(ElementType type, Body&& body) {
    if (type == ElementType::byte) return body(std::byte{});
    with_number(type, body);
  }

  Communicator& inner_;
  std::int64_t failing_call_;
  int failing_rank_;
  int num_synchronized_ = 0;
};

}  // namespace kantor::test
