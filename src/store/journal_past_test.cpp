#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "store/failing_journal.hpp"
#include "store/journal_kinds.hpp"

/// The part of the contract of journals that is about what they forget.
namespace boruta::store {
namespace {

using namespace std::chrono_literals;

class JournalPast : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Place> place_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Of, JournalPast, kAllKinds, name_of_kind);

TEST_P(JournalPast, ForgetsRequestsWithTheirJobsAndKnowsThatTheyWere) {
  auto& journal = place_->journal();
  auto batch = batch_about(journal, worker_number(1));
  batch.requests = {request_with(1, ""), request_with(2, "")};
  batch.requests[1].job =
      farm::Job{.worker = worker_number(4), .timeout = Instant(9s), .claim_by = {}, .paused_since = {}};
  ASSERT_TRUE(journal.append(batch));
  auto deletion = batch_about(journal, worker_number(1));
  deletion.deleted_requests = {RequestId{2}};
  deletion.forgotten = {.last_request = RequestId{2}, .until = Instant(4s)};
  ASSERT_TRUE(journal.append(deletion));
  place_->restart();
  const auto loaded = place_->journal().load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->rows.requests, std::vector{request_with(1, "")});
  EXPECT_EQ(loaded->rows.last_request, RequestId{2});
  EXPECT_EQ(loaded->rows.forgotten_until, Instant(4s));

  auto again = batch_about(place_->journal(), worker_number(1));
  again.requests = {request_with(3, "")};
  ASSERT_TRUE(place_->journal().append(again));
  place_->restart();
  EXPECT_EQ(place_->journal().load()->rows.last_request, RequestId{3});
}

Tidied tidy(Journal& journal, const TidyOrder& order, std::size_t most) {
  const auto tidied = journal.tidy(order, most);
  EXPECT_TRUE(tidied) << tidied.error().message;
  return tidied.value_or(Tidied{});
}

void make_checkpoint(Journal& journal, Instant now) {
  while (tidy(journal, {.now = now, .checkpoint_since = now}, 100).more) continue;
}

Tidied forget(Journal& journal, Instant until, std::size_t most) {
  return tidy(journal, {.now = until, .forget_until = until}, most);
}

/// What a checkpoint holds.
farm::Rows open_rows(Journal& journal) {
  auto rows = journal.load().value().rows;
  std::erase_if(rows.requests, [](const farm::Request& request) { return farm::is_terminal(request.state); });
  return rows;
}

/// Batches as farms make them, about few rows, so that each is changed again and again.
class Batches {
 public:
  EventBatch next(const Journal& journal) {
    auto batch = batch_about(journal, worker_number(1));
    batch.users = arbitrary_rows<farm::User>();
    batch.tokens = arbitrary_rows<farm::Token>();
    batch.user_keys = arbitrary_rows<farm::UserKey>();
    batch.workers = arbitrary_rows<farm::Worker>();
    arbitrary::fill(batch.groups);
    for (int number = 1; number <= 5; ++number) {
      const RequestId id{static_cast<std::uint64_t>(number)};
      if (one_in(4)) batch.deleted_workers.push_back(worker_number(number));
      if (one_in(4)) batch.deleted_creations.push_back(id);
      if (one_in(2)) batch.creations.emplace_back(arbitrary::make<farm::Creation>()).request = id;
    }
    for (auto& request : arbitrary_rows<farm::Request>()) add(batch, std::move(request));
    return batch;
  }

 private:
  static bool one_in(int count) { return *rc::gen::inRange(0, count) == 0; }

  /// One that has ended changes no more, but goes now and then; a job is never taken back.
  void add(EventBatch& batch, farm::Request request) {
    const auto before = requests_.find(request.id);
    if (before == requests_.end()) {
      requests_.emplace(request.id, request);
    } else if (!farm::is_terminal(before->second.state)) {
      if (!request.job) request.job = before->second.job;
      before->second = request;
    } else {
      if (!one_in(4)) return;
      batch.deleted_requests.push_back(request.id);
      batch.forgotten = {.last_request = RequestId{10}, .until = request.changed};
      return;
    }
    batch.requests.push_back(std::move(request));
  }

  std::map<RequestId, farm::Request> requests_;
};

TEST_P(JournalPast, MakesCheckpointsOfWhatThereIsWhateverIsAppendedMeanwhile) {
  int made = 0;
  EXPECT_TRUE(rc::check([&] {
    const auto place = GetParam().make();
    Batches batches;
    std::optional<farm::Rows> newest;
    Instant now;
    for (auto steps = *rc::gen::inRange(20, 150); steps > 0; --steps) {
      auto& journal = place->journal();
      if (*rc::gen::inRange(0, 3) == 0) {
        RC_ASSERT(journal.append(batches.next(journal)).has_value());
        continue;
      }
      now += 1s;
      const auto most = *rc::gen::inRange<std::size_t>(1, 12);
      RC_ASSERT(journal.tidy({.now = now, .checkpoint_since = now}, most).has_value());
      const auto read = journal.read_checkpoint();
      RC_ASSERT(read.has_value());
      if (*read == newest) continue;
      ++made;
      RC_ASSERT(**read == open_rows(journal));
      newest = *read;
    }
    place->restart();
    RC_ASSERT(*place->journal().read_checkpoint() == newest);
  }));
  EXPECT_GT(made, 50);
}

TEST_P(JournalPast, MakesACheckpointOnlyWhenToldAndWhenSomethingHappened) {
  auto& journal = place_->journal();
  ASSERT_TRUE(journal.append(batch_about(journal, worker_number(1))));
  EXPECT_FALSE(tidy(journal, {.now = Instant(5s)}, 100).more);
  EXPECT_EQ(*journal.read_checkpoint(), std::nullopt);
  make_checkpoint(journal, Instant(5s));
  EXPECT_EQ(journal.read_checkpoint().value()->last_event, EventSeq{1});
  EXPECT_FALSE(tidy(journal, {.now = Instant(9s), .checkpoint_since = Instant(9s)}, 100).more);

  ASSERT_TRUE(journal.append(batch_about(journal, worker_number(1))));
  EXPECT_FALSE(tidy(journal, {.now = Instant(9s), .checkpoint_since = Instant(5s)}, 100).more);
  EXPECT_EQ(journal.read_checkpoint().value()->last_event, EventSeq{1});
  make_checkpoint(journal, Instant(9s));
  EXPECT_EQ(journal.read_checkpoint().value()->last_event, EventSeq{2});
}

TEST_P(JournalPast, ForgetsEventsBeforeTheNewestCheckpointThatIsOldEnoughAFewAtATime) {
  for (int round = 1; round <= 2; ++round) {
    for (int count = 0; count < 5; ++count) {
      ASSERT_TRUE(place_->journal().append(batch_about(place_->journal(), worker_number(1))));
    }
    make_checkpoint(place_->journal(), Instant(round * 5s));  // behind 5 and 10
  }
  ASSERT_TRUE(place_->journal().append(batch_about(place_->journal(), worker_number(1))));

  const auto none = forget(place_->journal(), Instant(5s) - 1ns, 100);
  EXPECT_FALSE(none.more);
  EXPECT_EQ(none.first, EventSeq{1});

  const auto some = forget(place_->journal(), Instant(9s), 3);
  EXPECT_TRUE(some.more);
  EXPECT_EQ(some.first, EventSeq{4});
  place_->restart();
  auto& journal = place_->journal();
  EXPECT_EQ(numbers(*journal.read({})), (std::vector<std::uint64_t>{4, 5, 6, 7, 8, 9, 10, 11}));
  while (forget(journal, Instant(9s), 3).more) continue;
  EXPECT_EQ(numbers(*journal.read({})), (std::vector<std::uint64_t>{5, 6, 7, 8, 9, 10, 11}));

  while (forget(journal, Instant(10s), 100).more) continue;
  place_->restart();
  EXPECT_EQ(numbers(*place_->journal().read({})), (std::vector<std::uint64_t>{10, 11}));
  EXPECT_EQ(place_->journal().read_checkpoint().value()->last_event, EventSeq{10});
  EXPECT_EQ(place_->journal().last_seq(), EventSeq{11});
  EXPECT_EQ(tidy(place_->journal(), {}, 1).first, EventSeq{10});
  EXPECT_TRUE(place_->journal().append(batch_about(place_->journal(), worker_number(1))));
}

TEST_P(JournalPast, HasForgottenARequestWhollyOrNotAtAllAfterAFailure) {
  for (const auto fault : {AppendFault::kBeforeCommit, AppendFault::kAfterCommit}) {
    const auto place = GetParam().make();
    auto batch = batch_about(place->journal(), worker_number(1));
    batch.requests = {request_with(1, ""), request_with(2, "")};
    ASSERT_TRUE(place->journal().append(batch));
    auto deletion = batch_of(place->journal(),
                             {farm::RequestsForgotten{.ranges = {{.first = RequestId{1}, .last = RequestId{1}}}}});
    deletion.deleted_requests = {RequestId{1}};
    deletion.forgotten = {.last_request = RequestId{2}, .until = {}};
    FailingJournal failing(place->journal(), [fault](const EventBatch& /*batch*/) { return fault; });
    ASSERT_FALSE(failing.append(deletion));
    place->restart();
    const bool forgotten = fault == AppendFault::kAfterCommit;
    const auto loaded = place->journal().load();
    EXPECT_EQ(loaded->rows.requests.size(), forgotten ? 1U : 2U);
    EXPECT_EQ(loaded->rows.forgotten_until.has_value(), forgotten);
    EXPECT_EQ(place->journal().last_seq(), EventSeq{forgotten ? 2U : 1U});
  }
}

}  // namespace
}  // namespace boruta::store
