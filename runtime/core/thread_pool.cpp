#include "runtime/core/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "runtime/core/error.hpp"

namespace kantor {

struct ThreadPool::State {
  /// One call of for_each. Lives on the caller's stack; workers that have joined are counted in
  /// num_active, and the caller leaves only when that is back to zero.
  struct Job {
    const std::function<void(std::int64_t, Workspace&)>& work;
    const std::int64_t num_items;
    std::atomic<std::int64_t> next{0};
    std::mutex failure_mutex;
    std::exception_ptr failure;

    void run(Workspace& workspace) {
      for (;;) {
        const std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
        if (item >= num_items) return;
        try {
          work(item, workspace);
        } catch (...) {
          next.store(num_items, std::memory_order_relaxed);  // nobody starts another item
          const std::lock_guard lock(failure_mutex);
          if (!failure) failure = std::current_exception();
        }
      }
    }
  };

  std::mutex mutex;
  std::condition_variable wake;   // a job was opened, or the pool ends
  std::condition_variable leave;  // the last active worker has left the job
  Job* job = nullptr;             // guarded by mutex, like all up to `ending`
  std::uint64_t job_number = 0;   // so that a worker joins each job once
  int num_active = 0;
  bool ending = false;

  std::atomic<bool> in_use{false};
  std::vector<Workspace> workspaces;  // [threads], the caller's first
  std::vector<std::thread> workers;

  explicit State(int num_threads) : workspaces(static_cast<std::size_t>(num_threads)) {}

  // Here rather than in ~ThreadPool: also runs when the constructor fails halfway.
  ~State() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void worker_loop(Workspace& workspace) {
    std::uint64_t last_job = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return ending || (job != nullptr && job_number != last_job); });
      if (ending) return;
      last_job = job_number;
      Job& joined = *job;
      ++num_active;
      lock.unlock();
      joined.run(workspace);
      lock.lock();
      if (--num_active == 0) leave.notify_one();
    }
  }

  void run_with_workers(Job& opened) {
    {
      const std::lock_guard lock(mutex);
      job = &opened;
      ++job_number;
    }
    const auto num_helpers =
        std::min<std::int64_t>(opened.num_items - 1, static_cast<std::int64_t>(workers.size()));
    for (std::int64_t i = 0; i < num_helpers; ++i) wake.notify_one();
    opened.run(workspaces.front());
    std::unique_lock lock(mutex);
    job = nullptr;  // a worker that wakes only now finds nothing to join
    leave.wait(lock, [&] { return num_active == 0; });
  }
};

ThreadPool::ThreadPool(int num_threads) {
  KANTOR_CHECK(num_threads >= 1, "a thread pool of ", num_threads, " threads");
  state_ = std::make_unique<State>(num_threads);
  const auto num_workers = static_cast<std::size_t>(num_threads - 1);
  state_->workers.reserve(num_workers);
  for (std::size_t i = 0; i < num_workers; ++i) {
    try {
      state_->workers.emplace_back(
          [state = state_.get(), i] { state->worker_loop(state->workspaces[i + 1]); });
    } catch (const std::system_error& error) {
      throw NumericError(concat("started only ", i + 1, " of ", num_threads,
                                " threads: ", error.what(), "; lower run.threads"));
    }
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::num_threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::for_each(std::int64_t num_items, const std::function<void(std::int64_t)>& work) {
  for_each(num_items, [&work](std::int64_t item, Workspace&) { work(item); });
}

void ThreadPool::for_each(std::int64_t num_items,
                          const std::function<void(std::int64_t, Workspace&)>& work) {
  KANTOR_CHECK(num_items >= 0, "for_each over ", num_items, " items");
  KANTOR_CHECK(!state_->in_use.exchange(true), "for_each while another one runs in this pool");
  State::Job job{work, num_items, {}, {}, {}};
  if (num_items <= 1 || state_->workers.empty()) {
    job.run(workspace());
  } else {
    state_->run_with_workers(job);
  }
  state_->in_use.store(false);
  if (job.failure) std::rethrow_exception(job.failure);
}

Workspace& ThreadPool::workspace() { return state_->workspaces.front(); }

std::size_t ThreadPool::workspace_bytes() const {
  std::size_t total = 0;
  for (const Workspace& workspace : state_->workspaces) total += workspace.capacity_bytes();
  return total;
}

std::int64_t ThreadPool::num_workspace_allocations() const {
  std::int64_t total = 0;
  for (const Workspace& workspace : state_->workspaces) total += workspace.num_allocations();
  return total;
}

}  // namespace kantor
