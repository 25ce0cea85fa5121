#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "runtime/core/workspace.hpp"

namespace kantor {

/// A fixed set of worker threads. Work is cut into items whose number follows from the problem
/// alone, never from the number of threads, so that results do not depend on it.
class ThreadPool {
 public:
  /// @param num_threads >= 1, the calling thread included.
  /// @throws NumericError if the system refuses that many threads.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const;

  /// Calls work(item) for item = 0 .. num_items - 1, each once, on any thread; returns when all are
  /// done. After an exception no further item is started, and the first exception is rethrown here.
  /// Idle workers sleep; the caller works too, and does not wait for workers that were late.
  /// @throws ValueError if called while another call is running (from inside work, or from a second
  /// thread): a pool has one user at a time.
  void for_each(std::int64_t num_items, const std::function<void(std::int64_t)>& work);

  /// The same with the scratch memory of the thread that works on the item.
  void for_each(std::int64_t num_items, const std::function<void(std::int64_t, Workspace&)>& work);

  /// The calling thread's scratch memory, for what a caller of for_each shares with all items.
  Workspace& workspace();
  /// Over all threads; not while for_each runs.
  std::size_t workspace_bytes() const;
  std::int64_t num_workspace_allocations() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor
