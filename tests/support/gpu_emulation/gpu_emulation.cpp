#include "tests/support/gpu_emulation/gpu_emulation.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define KANTOR_FIBERS_UNDER_ASAN 1
#endif

namespace kantor::test {
namespace {

constexpr int kThreads = gpu::kBlockThreads;
constexpr std::size_t kStackBytes = std::size_t{1} << 16;
constexpr std::size_t kRedZoneBytes = 4096;
constexpr auto kPoison = std::byte{0xff};  // NaN in float and in double

enum class State { ready, at_barrier, at_shuffle, done };

/// Where to go on. swapcontext() asks the kernel for the signal mask each time: a context is only
/// entered by it (or under AddressSanitizer, which does not follow jumps to other stacks).
struct Place {
  ucontext_t context{};
  jmp_buf jump{};
  bool has_begun = false;
};

void change(Place& from, Place& to) {
#ifdef KANTOR_FIBERS_UNDER_ASAN
  swapcontext(&from.context, &to.context);
#else
  if (_setjmp(from.jump) != 0) return;
  if (to.has_begun) _longjmp(to.jump, 1);
  to.has_begun = true;
  setcontext(&to.context);
#endif
}

struct Fiber {
  Place place;
  std::unique_ptr<std::byte[]> stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  State state = State::ready;
  double offered = 0;  // to the lanes of its warp
  void* fake_stack = nullptr;
};

/// What AddressSanitizer must know of a change of stacks.
void leave_stack(void** fake_stack, const void* bottom, std::size_t bytes) {
#ifdef KANTOR_FIBERS_UNDER_ASAN
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#else
  static_cast<void>(fake_stack), static_cast<void>(bottom), static_cast<void>(bytes);
#endif
}
void enter_stack(void* fake_stack, const void** from, std::size_t* bytes) {
#ifdef KANTOR_FIBERS_UNDER_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, from, bytes);
#else
  static_cast<void>(fake_stack), static_cast<void>(from), static_cast<void>(bytes);
#endif
}

class Block {
 public:
  Block(Order order, const std::function<void(void*)>& body)
      : body_(body), turns_(kThreads), fibers_(all_fibers()) {
    std::iota(turns_.begin(), turns_.end(), 0);
    if (order == Order::backward) std::reverse(turns_.begin(), turns_.end());
    // 37 has no divisor in common with the number of threads.
    if (order == Order::scattered) {
      for (int& turn : turns_) turn = (turn * 37 + 11) % kThreads;
    }
  }

  void run(int x, int y, void* shared);
  void wait_as(State state);

  int x() const { return x_; }
  int y() const { return y_; }
  int current() const { return current_; }
  Fiber& fiber(int thread) { return fibers_[static_cast<std::size_t>(thread)]; }
  Fiber& own() { return fiber(current_); }

 private:
  /// Their stacks are worth keeping.
  static std::vector<Fiber>& all_fibers() {
    thread_local std::vector<Fiber> fibers(kThreads);
    return fibers;
  }
  static void begin();
  void start(int thread);
  void resume(int thread);
  /// Lets those go on whom nobody else keeps waiting.
  bool release();
  bool all_are(int first, int count, State state);
  void set(int first, int count, State state);

  const std::function<void(void*)>& body_;
  std::vector<int> turns_;
  std::vector<Fiber>& fibers_;
  Place scheduler_{.context = {}, .jump = {}, .has_begun = true};
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_bytes_ = 0;
  void* shared_ = nullptr;
  int x_ = 0;
  int y_ = 0;
  int current_ = 0;
};

thread_local Block* running = nullptr;

void Block::begin() {
  Block& block = *running;
  enter_stack(nullptr, &block.scheduler_stack_, &block.scheduler_stack_bytes_);
  block.body_(block.shared_);
  Fiber& own = block.own();
  own.state = State::done;
  leave_stack(nullptr, block.scheduler_stack_, block.scheduler_stack_bytes_);
  change(own.place, block.scheduler_);
}

void Block::start(int thread) {
  Fiber& starting = fiber(thread);
  starting.state = State::ready;
  starting.place.has_begun = false;
  ucontext_t& context = starting.place.context;
  getcontext(&context);
  context.uc_stack.ss_sp = starting.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, &Block::begin, 0);
}

void Block::resume(int thread) {
  current_ = thread;
  void* fake_stack = nullptr;
  leave_stack(&fake_stack, own().stack.get(), kStackBytes);
  change(scheduler_, own().place);
  enter_stack(fake_stack, nullptr, nullptr);
}

void Block::wait_as(State state) {
  Fiber& waiting = own();
  waiting.state = state;
  leave_stack(&waiting.fake_stack, scheduler_stack_, scheduler_stack_bytes_);
  change(waiting.place, scheduler_);
  enter_stack(waiting.fake_stack, &scheduler_stack_, &scheduler_stack_bytes_);
}

bool Block::all_are(int first, int count, State state) {
  return std::all_of(fibers_.begin() + first, fibers_.begin() + first + count,
                     [&](const Fiber& one) { return one.state == state; });
}

void Block::set(int first, int count, State state) {
  for (int thread = first; thread < first + count; ++thread) fiber(thread).state = state;
}

bool Block::release() {
  bool has_released = false;
  for (int first = 0; first < kThreads; first += gpu::kWarpThreads) {
    if (!all_are(first, gpu::kWarpThreads, State::at_shuffle)) continue;
    set(first, gpu::kWarpThreads, State::ready);
    has_released = true;
  }
  if (all_are(0, kThreads, State::at_barrier)) {
    set(0, kThreads, State::ready);
    has_released = true;
  }
  return has_released;
}

void Block::run(int x, int y, void* shared) {
  x_ = x;
  y_ = y;
  shared_ = shared;
  running = this;
  for (int thread = 0; thread < kThreads; ++thread) start(thread);
  do {
    for (const int thread : turns_) {
      if (fiber(thread).state == State::ready) resume(thread);
    }
  } while (release());
  running = nullptr;
  if (!all_are(0, kThreads, State::done)) {
    throw std::logic_error(
        "emulated block: threads wait at a barrier or shuffle that the others do "
        "not reach");
  }
}

class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes)
      : bytes_(bytes), words_((bytes + 2 * kRedZoneBytes) / sizeof(Aligned) + 1) {}

  std::byte* data() { return all() + kRedZoneBytes; }
  void poison() { std::fill_n(all(), size(), kPoison); }
  bool has_intact_red_zones() {
    const auto is_intact = [](std::byte value) { return value == kPoison; };
    return std::all_of(all(), data(), is_intact) &&
           std::all_of(data() + bytes_, all() + size(), is_intact);
  }

 private:
  struct alignas(16) Aligned {
    std::byte bytes[16];
  };
  std::byte* all() { return reinterpret_cast<std::byte*>(words_.data()); }
  std::size_t size() const { return words_.size() * sizeof(Aligned); }

  std::size_t bytes_;
  std::vector<Aligned> words_;
};

/// Up or down by the error of the special function unit, as the last bit says.
float with_error(float exact) {
  const float sign = (std::bit_cast<std::uint32_t>(exact) & 1U) != 0 ? 1.0F : -1.0F;
  return std::isfinite(exact) ? exact * (1 + sign * 0x1p-22F) : exact;
}

}  // namespace

void emulate(cuda::Grid grid, std::size_t shared_bytes, Order order,
             const std::function<void(void* shared)>& body) {
  Block block(order, body);
  SharedMemory shared(shared_bytes);
  const int num_blocks = grid.x * grid.y;
  for (int k = 0; k < num_blocks; ++k) {
    const int number = order == Order::backward ? num_blocks - 1 - k : k;
    shared.poison();
    block.run(number % grid.x, number / grid.x, shared.data());
    if (!shared.has_intact_red_zones()) {
      throw std::logic_error("emulated block: written beyond its shared memory");
    }
  }
}

const cuda::SoftMinKernels& emulated_kernels() {
  static const cuda::SoftMinKernels table = {
      [](const cuda::SoftMinCall& call) { return cuda::scratch_bytes(call); },
      [](const cuda::SoftMinCall& call, void* scratch, void*) -> const char* {
        EmulatedLauncher launcher(Order::forward);
        if (call.is_double) {
          cuda::launch_soft_min<double>(call, scratch, launcher);
        } else {
          cuda::launch_soft_min<float>(call, scratch, launcher);
        }
        return nullptr;
      }};
  return table;
}

}  // namespace kantor::test

namespace kantor::gpu {

using test::running;
using test::State;

int thread_index() { return running->current(); }
int block_x() { return running->x(); }
int block_y() { return running->y(); }
void sync_threads() { running->wait_as(State::at_barrier); }

double shuffle_xor(double value, int mask) {
  running->own().offered = value;
  running->wait_as(State::at_shuffle);
  const double received = running->fiber(running->current() ^ mask).offered;
  running->wait_as(State::at_shuffle);  // none offers anew before all have read
  return received;
}

float fast_exp2(float x) { return test::with_error(std::exp2(x)); }
float fast_log2(float x) { return test::with_error(std::log2(x)); }

}  // namespace kantor::gpu
