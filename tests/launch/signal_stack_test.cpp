#include "launch/signal_stack.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <torch/torch.h>

#include <atomic>
#include <thread>

#include "launch/stop_requests.hpp"
#include "solvers/neural/affine.hpp"

namespace kantor::launch {
namespace {

TEST(SignalStack, is_where_the_handlers_of_stop_signals_run) {
  catch_stop_signals();
  for (const int number : {SIGUSR1, SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction action {};
    ASSERT_EQ(sigaction(number, nullptr, &action), 0);
    EXPECT_NE(action.sa_flags & SA_ONSTACK, 0) << number;
  }
}

TEST(SignalStack, is_that_of_its_thread_until_it_ends) {
  std::thread([] {
    stack_t stack{};
    {
      const SignalStack own;
      ASSERT_EQ(sigaltstack(nullptr, &stack), 0);
      EXPECT_EQ(stack.ss_flags & SS_DISABLE, 0);
      EXPECT_GE(stack.ss_size, 1u << 16);
    }
    ASSERT_EQ(sigaltstack(nullptr, &stack), 0);
    EXPECT_NE(stack.ss_flags & SS_DISABLE, 0);
  }).join();
}

/// Without the stack, or with handlers beside it, the heap is soon in pieces.
TEST(SignalStack, keeps_handlers_off_the_numbers_of_a_product) {
  catch_stop_signals();
  at::set_num_threads(1);
  std::thread([] {
    const SignalStack own;
    const at::Tensor x = torch::sin(torch::arange(512 * 128, torch::kFloat32)).view({512, 128});
    const at::Tensor w = torch::cos(torch::arange(128 * 128, torch::kFloat32)).view({128, 128});
    const at::Tensor expected = neural::affine(x, w);
    std::atomic<bool> done{false};
    std::thread pest([&done, victim = pthread_self()] {
      for (int i = 0; i < 200'000; ++i) EXPECT_EQ(pthread_kill(victim, SIGUSR1), 0);
      done = true;
    });
    int num_wrong = 0;
    while (!done) num_wrong += neural::affine(x, w).equal(expected) ? 0 : 1;
    pest.join();
    EXPECT_EQ(num_wrong, 0);
  }).join();
}

}  // namespace
}  // namespace kantor::launch
