#include "runtime/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "runtime/clock.hpp"
#include "runtime/deadline.hpp"

namespace boruta::runtime {
namespace {

using namespace std::chrono_literals;

Task<void> wait_and_note(SequenceGate* gate, std::uint64_t number, std::vector<std::uint64_t>* resumed) {
  const bool open = co_await gate->wait(number);
  resumed->push_back(open ? number : 0);
}

TEST(SequenceGate, ResumesInTheOrderOfNumbersAndOnlyThoseReached) {
  asio::io_context context;
  SequenceGate gate(context.get_executor());
  std::vector<std::uint64_t> resumed;
  for (const std::uint64_t number : {2U, 1U, 3U}) {
    asio::co_spawn(context, wait_and_note(&gate, number, &resumed), asio::detached);
  }
  context.poll();
  EXPECT_TRUE(resumed.empty());
  gate.advance(2);
  context.poll();
  EXPECT_EQ(resumed, (std::vector<std::uint64_t>{1, 2}));
  gate.close();
  context.poll();
  EXPECT_EQ(resumed, (std::vector<std::uint64_t>{1, 2, 0}));
}

TEST(SequenceGate, DoesNotWaitForWhatIsReached) {
  asio::io_context context;
  SequenceGate gate(context.get_executor());
  gate.advance(7);
  std::vector<std::uint64_t> resumed;
  asio::co_spawn(context, wait_and_note(&gate, 7, &resumed), asio::detached);
  context.poll();
  EXPECT_EQ(resumed, (std::vector<std::uint64_t>{7}));
}

Task<void> wait_for_signal(Signal* signal, int* wakeups) {
  co_await signal->wait();
  ++*wakeups;
}

Task<void> fail() {
  throw std::runtime_error("on purpose");
  co_return;
}

TEST(TaskGroup, JoinsAfterItsTasksWereCancelled) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Signal never(context.get_executor());
  int wakeups = 0;
  group.spawn("first", wait_for_signal(&never, &wakeups));
  group.spawn("second", wait_for_signal(&never, &wakeups));
  bool joined = false;
  asio::co_spawn(context, group.join(), [&](const std::exception_ptr&) { joined = true; });
  context.poll();
  EXPECT_FALSE(joined);
  group.request_stop();
  context.poll();
  EXPECT_TRUE(joined);
  EXPECT_EQ(group.size(), 0U);
}

Task<void> end_at_once() { co_return; }

TEST(TaskGroup, TakesATaskThatEndsAtOnceFromWithinItsExecutor) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  asio::post(context, [&] { group.spawn("short", end_at_once()); });
  context.poll();
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, OutlivesATaskThatThrows) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  group.spawn("thrower", fail());
  context.poll();
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, StartsNothingAfterItWasStopped) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Signal never(context.get_executor());
  int wakeups = 0;
  group.request_stop();
  group.spawn("late", wait_for_signal(&never, &wakeups));
  EXPECT_EQ(group.size(), 0U);
}

Task<void> note_deadline(Clock* clock, Signal* signal, bool* in_time) {
  *in_time = co_await with_deadline(*clock, 5ms, signal->wait());
}

TEST(WithDeadline, EndsATaskThatTakesTooLong) {
  asio::io_context context;
  const auto clock = make_system_clock(Instant{});
  Signal never(context.get_executor());
  bool in_time = true;
  asio::co_spawn(context, note_deadline(clock.get(), &never, &in_time), asio::detached);
  context.run();
  EXPECT_FALSE(in_time);
}

}  // namespace
}  // namespace boruta::runtime
