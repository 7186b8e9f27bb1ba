#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/failing_journal.hpp"
#include "store/journal_kinds.hpp"

namespace boruta::store {
namespace {

using namespace std::chrono_literals;

class JournalContract : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Place> place_ = GetParam().make();
};

using JournalContractDeathTest = JournalContract;

INSTANTIATE_TEST_SUITE_P(Of, JournalContract, kAllKinds, name_of_kind);
INSTANTIATE_TEST_SUITE_P(Of, JournalContractDeathTest, kAllKinds, name_of_kind);

std::vector<std::pair<WorkerUuid, std::string>> revealed(const std::vector<StoredKey>& keys) {
  std::vector<std::pair<WorkerUuid, std::string>> pairs;
  pairs.reserve(keys.size());
  for (const auto& key : keys) pairs.emplace_back(key.worker, key.pem.reveal());
  return pairs;
}

TEST_P(JournalContract, IsEmptyWhenNew) {
  const auto loaded = place_->journal().load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->rows, farm::Rows{});
  EXPECT_TRUE(loaded->keys.empty());
  EXPECT_EQ(loaded->last_event_at, std::nullopt);
  EXPECT_EQ(place_->journal().last_seq(), EventSeq{0});
  EXPECT_TRUE(place_->journal().read({})->empty());
}

TEST_P(JournalContract, GivesBackEveryRowAndEveryKindOfEventAsTheyCame) {
  EXPECT_TRUE(rc::check([&] {
    const auto place = GetParam().make();
    ASSERT_TRUE(place->journal().load());
    auto batch = batch_of(place->journal(), arbitrary::one_of_each_kind());
    for (auto& event : batch.events) {
      arbitrary::fill(event.at);
      arbitrary::fill(event.actor);
    }
    batch.users = arbitrary_rows<farm::User>();
    batch.tokens = arbitrary_rows<farm::Token>();
    batch.requests = arbitrary_rows<farm::Request>();
    batch.workers = arbitrary_rows<farm::Worker>();
    batch.put_keys.push_back({.worker = worker_number(1), .pem = Secret("-----BEGIN RSA PRIVATE KEY-----\nx\n")});
    const auto appended = place->journal().append(batch);
    RC_ASSERT(appended.has_value());

    place->restart();
    RC_ASSERT(place->journal().last_seq() == batch.last_seq());
    const auto loaded = place->journal().load();
    RC_ASSERT(loaded.has_value());
    RC_ASSERT(loaded->rows.users == batch.users);
    RC_ASSERT(loaded->rows.tokens == batch.tokens);
    RC_ASSERT(loaded->rows.requests == batch.requests);
    RC_ASSERT(loaded->rows.workers == batch.workers);
    RC_ASSERT(loaded->rows.last_event == batch.last_seq());
    RC_ASSERT(loaded->last_event_at == batch.events.back().at);
    RC_ASSERT(revealed(loaded->keys) == revealed(batch.put_keys));
    const auto events = place->journal().read({});
    RC_ASSERT(events.has_value());
    RC_ASSERT(*events == batch.events);
  }));
}

TEST_P(JournalContract, SharesTheCapabilitiesOfRequestsThatAskForTheSame) {
  if (GetParam().name == "Memory") GTEST_SKIP() << "gives back the objects that it was given";
  auto& journal = place_->journal();
  auto batch = batch_about(journal, worker_number(1));
  batch.requests = {request_with(1, ""), request_with(2, "")};
  ASSERT_NE(batch.requests[0].demand, batch.requests[1].demand);
  ASSERT_TRUE(journal.append(batch));
  const auto loaded = journal.load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->rows.requests[0].demand, loaded->rows.requests[1].demand);
}

TEST_P(JournalContract, ReplacesARowByTheOneThatCameLast) {
  auto& journal = place_->journal();
  for (const auto* reason : {"first", "second"}) {
    auto batch = batch_about(journal, worker_number(1));
    batch.requests = {request_with(7, reason)};
    batch.workers = {worker_with(worker_number(1), reason)};
    ASSERT_TRUE(journal.append(batch));
  }
  place_->restart();
  const auto loaded = place_->journal().load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->rows.requests, std::vector{request_with(7, "second")});
  EXPECT_EQ(loaded->rows.workers, std::vector{worker_with(worker_number(1), "second")});
}

TEST_P(JournalContract, KeepsTheJobsOfTheRequestsThatHaveOne) {
  auto& journal = place_->journal();
  auto batch = batch_about(journal, worker_number(1));
  batch.requests = {request_with(1, ""), request_with(2, ""), request_with(3, "")};
  batch.requests[1].job =
      farm::Job{.worker = worker_number(4), .timeout = Instant(9s), .claim_by = {}, .paused_since = {}};
  ASSERT_TRUE(journal.append(batch));
  auto change = batch_about(journal, worker_number(1));
  change.requests = {batch.requests[1]};
  change.requests[0].job->granted = true;
  ASSERT_TRUE(journal.append(change));
  place_->restart();
  const auto loaded = place_->journal().load();
  ASSERT_TRUE(loaded);
  batch.requests[1] = change.requests[0];
  EXPECT_EQ(loaded->rows.requests, batch.requests);
}

TEST_P(JournalContract, ForgetsDeletedWorkersAndKeys) {
  auto& journal = place_->journal();
  auto batch = batch_about(journal, worker_number(1));
  batch.workers = {worker_with(worker_number(1), ""), worker_with(worker_number(2), "")};
  batch.put_keys = {{.worker = worker_number(1), .pem = Secret("one")},
                    {.worker = worker_number(2), .pem = Secret("two")}};
  ASSERT_TRUE(journal.append(batch));
  auto deletion = batch_about(journal, worker_number(1));
  deletion.deleted_workers = {worker_number(1)};
  deletion.deleted_keys = {worker_number(2), worker_number(3)};
  ASSERT_TRUE(journal.append(deletion));
  place_->restart();
  const auto loaded = place_->journal().load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->rows.workers, std::vector{worker_with(worker_number(2), "")});
  EXPECT_EQ(revealed(loaded->keys), (std::vector{std::pair(worker_number(1), std::string("one"))}));
}

TEST_P(JournalContract, KeepsCreationsUntilTheyAreDeleted) {
  auto& journal = place_->journal();
  auto batch = batch_about(journal, worker_number(1));
  const farm::Creation first{
      .request = RequestId{1}, .owner = UserId{2}, .key = "a key", .body_hash = "a hash", .at = Instant(5s)};
  const farm::Creation second{
      .request = RequestId{2}, .owner = UserId{3}, .key = "a key", .body_hash = "another", .at = Instant(6s)};
  batch.creations = {first, second};
  ASSERT_TRUE(journal.append(batch));
  auto deletion = batch_about(journal, worker_number(1));
  deletion.deleted_creations = {RequestId{1}, RequestId{7}};
  ASSERT_TRUE(journal.append(deletion));
  place_->restart();
  const auto loaded = place_->journal().load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->rows.creations, std::vector{second});
}

TEST_P(JournalContract, ReadsEventsInOrderByRequestByWorkerAndFromAPosition) {
  const auto one = worker_number(1);
  const auto two = worker_number(2);
  auto& journal = place_->journal();
  ASSERT_TRUE(journal.append(batch_of(journal, {farm::JobAcquired{.id = RequestId{10}},  // 1
                                                farm::WorkerLost{.uuid = one},           // 2
                                                farm::JobStarted{.id = RequestId{10},
                                                                 .worker = two,  // 3
                                                                 .claim_by = {}}})));
  ASSERT_TRUE(journal.append(batch_of(journal, {farm::UserDeleted{.id = UserId{10}},  // 4
                                                farm::WorkerLost{.uuid = two},        // 5
                                                farm::JobStarted{.id = RequestId{11},
                                                                 .worker = two,  // 6
                                                                 .claim_by = {}},
                                                farm::JobGranted{.id = RequestId{10}}})));  // 7
  place_->restart();

  using Numbers = std::vector<std::uint64_t>;
  struct Case {
    EventQuery query;
    Numbers expected;
  };
  const std::vector<Case> cases{
      {.query = {}, .expected = {1, 2, 3, 4, 5, 6, 7}},
      {.query = {.after = EventSeq{2}, .request = {}, .worker = {}, .limit = 3}, .expected = {3, 4, 5}},
      {.query = {.after = EventSeq{7}, .request = {}, .worker = {}}, .expected = {}},
      {.query = {.after = EventSeq{~0ULL}, .request = {}, .worker = {}}, .expected = {}},
      {.query = {.after = {}, .request = {}, .worker = {}, .limit = 0}, .expected = {}},
      {.query = {.after = {}, .request = {}, .worker = {}, .limit = ~std::size_t{0}},
       .expected = {1, 2, 3, 4, 5, 6, 7}},
      {.query = {.after = {}, .request = RequestId{10}, .worker = {}}, .expected = {1, 3, 7}},
      {.query = {.after = EventSeq{1}, .request = RequestId{10}, .worker = {}, .limit = 1}, .expected = {3}},
      {.query = {.after = {}, .request = {}, .worker = two}, .expected = {3, 5, 6}},
      {.query = {.after = EventSeq{3}, .request = {}, .worker = two}, .expected = {5, 6}},
      {.query = {.after = {}, .request = RequestId{10}, .worker = two}, .expected = {3}},
      {.query = {.after = {}, .request = RequestId{12}, .worker = {}}, .expected = {}},
      {.query = {.after = {}, .request = {}, .worker = worker_number(3)}, .expected = {}},
  };
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const auto events = place_->journal().read(cases[number].query);
    ASSERT_TRUE(events) << events.error().message;
    EXPECT_EQ(numbers(*events), cases[number].expected) << "case " << number;
  }
}

/// A batch that puts and deletes at random among few keys.
EventBatch arbitrary_changes(EventSeq first) {
  EventBatch batch;
  batch.first_seq = first;
  batch.events.push_back({.seq = first, .at = {}, .actor = {}, .body = farm::WorkerLost{}});
  for (int number = 1; number <= 3; ++number) {
    const auto worker = worker_number(number);
    const auto text = std::to_string(first.value);
    const RequestId request{static_cast<std::uint64_t>(number)};
    const auto request_change = *rc::gen::inRange(0, 3);
    if (request_change == 1) batch.requests.push_back(request_with(request.value, text));
    if (request_change == 2) {
      batch.deleted_requests.push_back(request);
      batch.forgotten = {.last_request = RequestId{3}, .until = Instant(1s * static_cast<int>(first.value))};
    }
    const auto worker_change = *rc::gen::inRange(0, 3);
    if (worker_change == 1) batch.workers.push_back(worker_with(worker, text));
    if (worker_change == 2) batch.deleted_workers.push_back(worker);
    const auto key_change = *rc::gen::inRange(0, 3);
    if (key_change == 1) batch.put_keys.push_back({.worker = worker, .pem = Secret(text)});
    if (key_change == 2) batch.deleted_keys.push_back(worker);
    const RequestId filed{static_cast<std::uint64_t>(number)};
    const auto creation_change = *rc::gen::inRange(0, 3);
    if (creation_change == 1) {
      batch.creations.push_back({.request = filed, .owner = UserId{2}, .key = text, .body_hash = "hash", .at = {}});
    }
    if (creation_change == 2) batch.deleted_creations.push_back(filed);
  }
  return batch;
}

TEST_P(JournalContract, HoldsTheSameAfterMergedBatchesAsAfterTheSingleOnes) {
  EXPECT_TRUE(rc::check([&] {
    MemoryJournal singly;
    EventBatch merged;
    for (std::uint64_t seq = 1; seq <= 4; ++seq) {
      auto batch = arbitrary_changes(EventSeq{seq});
      RC_ASSERT(singly.append(batch).has_value());
      merge(merged, std::move(batch));
    }
    const auto place = GetParam().make();
    RC_ASSERT(place->journal().append(merged).has_value());
    const auto together = place->journal().load();
    const auto expected = singly.load();
    RC_ASSERT(together.has_value());
    RC_ASSERT(together->rows == expected->rows);
    RC_ASSERT(revealed(together->keys) == revealed(expected->keys));
    RC_ASSERT(place->journal().read({}).value() == singly.read({}).value());
  }));
}

TEST_P(JournalContract, WritesNothingOrAllWhenMadeToFail) {
  auto fault = AppendFault::kBeforeCommit;
  FailingJournal failing(place_->journal(), [&fault](const EventBatch& /*batch*/) { return fault; });
  const auto batch = batch_about(failing, worker_number(1));
  const auto before = failing.append(batch);
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, StoreErrorCode::kBusy);
  EXPECT_EQ(failing.last_seq(), EventSeq{0});

  fault = AppendFault::kAfterCommit;
  const auto after = failing.append(batch);
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, StoreErrorCode::kUnknown);
  EXPECT_EQ(numbers(*failing.read({})), std::vector<std::uint64_t>{1});

  fault = AppendFault::kNone;
  EXPECT_TRUE(failing.append(batch_about(failing, worker_number(1))));
}

TEST_P(JournalContractDeathTest, RefusesABatchThatDoesNotFollowOnTheLast) {
  auto& journal = place_->journal();
  auto gap = batch_about(journal, worker_number(1));
  gap.first_seq.value = 2;
  gap.events.front().seq.value = 2;
  EXPECT_DEATH(EXPECT_FALSE(journal.append(gap)), "first_seq");
}

TEST(MemoryJournal, BeginsWithWhatItIsGiven) {
  Loaded start;
  start.rows.workers = {worker_with(worker_number(1), "there")};
  start.rows.last_event = EventSeq{5};
  start.last_event_at = Instant(3s);
  MemoryJournal journal(start);
  const auto loaded = journal.load();
  EXPECT_EQ(loaded->rows, start.rows);
  EXPECT_EQ(loaded->last_event_at, start.last_event_at);
  EXPECT_TRUE(journal.append(batch_about(journal, worker_number(1))));
  EXPECT_EQ(journal.last_seq(), EventSeq{6});
}

TEST(Merge, KeepsAKeyThatWasPutAndDeletedFromEverBeingWritten) {
  EventBatch batch;
  batch.put_keys = {{.worker = worker_number(1), .pem = Secret("x")}};
  EventBatch later;
  later.deleted_keys = {worker_number(1)};
  merge(batch, std::move(later));
  EXPECT_TRUE(batch.put_keys.empty());
  EXPECT_EQ(batch.deleted_keys, std::vector{worker_number(1)});
}

TEST(Merge, ForgetsTheDeletionOfAWorkerThatIsThereAgain) {
  EventBatch batch;
  batch.deleted_workers = {worker_number(1), worker_number(2)};
  EventBatch later;
  later.workers = {worker_with(worker_number(1), "back")};
  merge(batch, std::move(later));
  EXPECT_EQ(batch.deleted_workers, std::vector{worker_number(2)});
  EXPECT_EQ(batch.workers, std::vector{worker_with(worker_number(1), "back")});
}

TEST(Merge, TakesTheFirstSequenceFromTheFirstBatchThatHasEvents) {
  EventBatch batch;
  for (const std::uint64_t seq : {8U, 9U}) {
    EventBatch later;
    later.first_seq = EventSeq{seq};
    later.events.push_back({.seq = EventSeq{seq}, .at = {}, .actor = {}, .body = farm::ServerStarted{}});
    merge(batch, std::move(later));
  }
  EXPECT_EQ(batch.first_seq, EventSeq{8});
  EXPECT_EQ(batch.last_seq(), EventSeq{9});
}

}  // namespace
}  // namespace boruta::store
