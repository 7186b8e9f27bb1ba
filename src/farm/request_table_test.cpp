#include "farm/request_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <ranges>

namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1'700'000'000'123'456'789ns};

Request request_of(std::uint64_t id, RequestState state) {
  return Request{.id = RequestId{id},
                 .owner = UserId{7},
                 .priority = {3},
                 .state = state,
                 .was_servable = true,
                 .demand = std::make_shared<const Demand>(),
                 .valid_after = {.at = kNow, .offset_minutes = -210},
                 .deadline = {.at = kNow + 24h, .offset_minutes = 60},
                 .created = kNow - 5ns,
                 .changed = kNow + 3h + 1ns,
                 .lease = 1h,
                 .claim_within = 1500ms,
                 .job = std::nullopt,
                 .reason = "closed by alice",
                 .last_event = {300}};
}

Job some_job() {
  return Job{.worker = WorkerUuid::parse("fa4e0000-0000-4000-8000-0000000000ff").value(),
             .started = kNow + 1min,
             .timeout = kNow + 2min,
             .timeout_max = kNow + 24h,
             .claim_by = kNow + 11min,
             .paused_since = kNow + 90s,
             .pause_used = 7ns,
             .tunnel_port = 39'999,
             .granted = true,
             .overdue = true,
             .own_keys = true};
}

/// `request`, filed and ended: as it is found then.
Request ended(Request request) {
  RequestTable table;
  const auto state = std::exchange(request.state, RequestState::kWaiting);
  table.append(request);
  auto* open = table.find_open(request.id);
  open->state = state;
  table.update(*open);
  EXPECT_EQ(table.find_open(request.id), nullptr);
  const auto found = table.find(request.id);
  return *found;
}

TEST(RequestTable, GivesBackWhatEnded) {
  auto request = request_of(1, RequestState::kCancelled);
  EXPECT_EQ(ended(request), request);
  request.job = some_job();
  request.state = RequestState::kFailed;
  EXPECT_EQ(ended(request), request);
  request.job->claim_by.reset();
  request.job->paused_since.reset();
  request.reason.clear();
  EXPECT_EQ(ended(request), request);
}

TEST(RequestTable, GivesBackTheFarthestTimesAndTheLongestTexts) {
  auto request = request_of(1, RequestState::kTimeout);
  request.valid_after.at = Instant::min();
  request.created = Instant::max();
  request.changed = Instant::min();
  request.lease = Duration::max();
  request.claim_within = Duration::min();
  request.last_event = {std::numeric_limits<std::uint64_t>::max()};
  request.reason = std::string(1'024, '\0');
  EXPECT_EQ(ended(request), request);
}

TEST(RequestTable, FindsEachOfManyThatEndInAnyOrder) {
  RequestTable table;
  constexpr std::uint64_t kCount = 1'000;
  for (std::uint64_t id = 1; id <= kCount; ++id) table.append(request_of(id, RequestState::kWaiting));
  EXPECT_EQ(table.next_id(), RequestId{kCount + 1});
  // 7 and the count have no common divisor: each comes once.
  for (std::uint64_t step = 0; step < kCount / 2; ++step) {
    auto* open = table.find_open(RequestId{(step * 7) % kCount + 1});
    open->state = RequestState::kDone;
    open->reason = "step " + std::to_string(step);
    table.update(*open);
  }
  for (std::uint64_t step = 0; step < kCount; ++step) {
    const RequestId id{(step * 7) % kCount + 1};
    const bool open = step >= kCount / 2;
    EXPECT_EQ(table.find_open(id) != nullptr, open);
    const auto found = table.find(id);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->reason, open ? "closed by alice" : "step " + std::to_string(step));
  }
  EXPECT_EQ(table.find(RequestId{0}), nullptr);
  EXPECT_EQ(table.find(RequestId{kCount + 1}), nullptr);
}

Request ended_after(std::uint64_t id, Duration after) {
  auto request = request_of(id, RequestState::kDone);
  request.changed = kNow + after;
  return request;
}

std::vector<std::uint64_t> numbers(const std::vector<RequestId>& ids) {
  std::vector<std::uint64_t> numbers;
  for (const auto id : ids) numbers.push_back(id.value);
  return numbers;
}

TEST(RequestTable, FindsThoseThatEndedInTime) {
  RequestTable table;
  table.append(ended_after(1, 5s));
  table.append(request_of(2, RequestState::kWaiting));
  table.append(ended_after(3, 3s));
  table.append(ended_after(4, 6s));
  EXPECT_TRUE(table.some_ended_by(kNow + 3s - 1ns).empty());
  EXPECT_EQ(numbers(table.some_ended_by(kNow + 3s)), (std::vector<std::uint64_t>{3}));
  EXPECT_EQ(numbers(table.some_ended_by(kNow + 5s)), (std::vector<std::uint64_t>{1, 3}));
}

TEST(RequestTable, ForgetsAndGivesNoIdTwice) {
  RequestTable table;
  for (std::uint64_t id = 1; id <= 4; ++id) table.append(ended_after(id, 1s * id));
  table.forget({{2}, {4}});
  EXPECT_EQ(table.find({2}), nullptr);
  EXPECT_EQ(table.find({4}), nullptr);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.next_id(), RequestId{5});
  const auto left = table.find({3});
  ASSERT_NE(left, nullptr);
  EXPECT_EQ(*left, ended_after(3, 3s));
  EXPECT_EQ(numbers(table.some_ended_by(kNow + 9s)), (std::vector<std::uint64_t>{1, 3}));
  table.append(request_of(5, RequestState::kWaiting));
  auto* open = table.find_open({5});
  open->state = RequestState::kDone;
  table.update(*open);
  const auto newest = table.find({5});
  ASSERT_NE(newest, nullptr);
  EXPECT_EQ(newest->state, RequestState::kDone);
}

TEST(RequestTable, BearsThatWhatItForgetsIsNotThere) {
  RequestTable table;
  table.append(ended_after(7, 1s));
  table.skip_to({300});
  table.forget({{1}, {7}, {299}});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.next_id(), RequestId{301});
}

TEST(RequestTable, ForgetsManyAFewAtATimeWhateverWaitsAmongThem) {
  RequestTable table;
  constexpr std::uint64_t kCount = 5'000;
  constexpr std::uint64_t kWaitsEach = 700;
  for (std::uint64_t id = 1; id <= kCount; ++id) {
    table.append(id % kWaitsEach == 0 ? request_of(id, RequestState::kWaiting) : ended_after(id, 1s));
  }
  std::size_t rounds = 0;
  for (auto due = table.some_ended_by(kNow + 1s); !due.empty(); due = table.some_ended_by(kNow + 1s)) {
    EXPECT_LE(due.size(), 128U);
    table.forget(due);
    ++rounds;
  }
  EXPECT_EQ(rounds, (kCount + 127) / 128);
  EXPECT_EQ(table.size(), kCount / kWaitsEach);
  const auto& columns = table.columns();
  std::vector<std::uint64_t> upwards;
  for (auto id = columns.first_from({0}); id; id = columns.first_from({id->value + 1})) upwards.push_back(id->value);
  EXPECT_EQ(upwards, (std::vector<std::uint64_t>{700, 1'400, 2'100, 2'800, 3'500, 4'200, 4'900}));
  std::vector<std::uint64_t> downwards;
  for (auto id = columns.last_to({kCount}); id; id = columns.last_to({id->value - 1})) downwards.push_back(id->value);
  EXPECT_TRUE(std::ranges::equal(upwards, std::views::reverse(downwards)));
  EXPECT_EQ(columns.count_before({2'100}), 2U);
  EXPECT_EQ(columns.count_before({2'101}), 3U);
  EXPECT_EQ(columns.count_before({kCount + 1}), 7U);
}

}  // namespace
}  // namespace boruta::farm
