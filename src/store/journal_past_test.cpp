#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <memory>
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

EventBatch checkpoint_batch(const Journal& journal, std::shared_ptr<const farm::Rows> state) {
  return batch_of(journal, {farm::Checkpoint{.state = std::move(state)}});
}

/// Rows as they may be while requests are open.
farm::Rows arbitrary_state() {
  farm::Rows state;
  state.users = arbitrary_rows<farm::User>();
  state.tokens = arbitrary_rows<farm::Token>();
  state.requests = arbitrary_rows<farm::Request>();
  state.workers = arbitrary_rows<farm::Worker>();
  state.user_keys = arbitrary_rows<farm::UserKey>();
  arbitrary::fill(state.groups);
  arbitrary::fill(state.creations);
  arbitrary::fill(state.last_event);
  arbitrary::fill(state.last_request);
  arbitrary::fill(state.forgotten_until);
  return state;
}

TEST_P(JournalPast, GivesBackTheStateOfACheckpointAndReadsTheEventWithoutIt) {
  EXPECT_TRUE(rc::check([&] {
    const auto place = GetParam().make();
    const auto state = std::make_shared<const farm::Rows>(arbitrary_state());
    RC_ASSERT(place->journal().append(batch_about(place->journal(), worker_number(1))).has_value());
    RC_ASSERT(place->journal().append(checkpoint_batch(place->journal(), state)).has_value());
    place->restart();
    const auto read = place->journal().read_checkpoint(EventSeq{2});
    RC_ASSERT(read.has_value() && read->has_value());
    RC_ASSERT(**read == *state);
    RC_ASSERT(!place->journal().read_checkpoint(EventSeq{1})->has_value());
    const auto events = place->journal().read({});
    RC_ASSERT(std::get<farm::Checkpoint>(events->back().body).state == nullptr);
  }));
}

TEST_P(JournalPast, ForgetsEventsBeforeTheNewestCheckpointThatIsOldEnoughAFewAtATime) {
  const auto state = std::make_shared<const farm::Rows>();
  for (int round = 0; round < 2; ++round) {
    for (int count = 0; count < 4; ++count) {
      ASSERT_TRUE(place_->journal().append(batch_about(place_->journal(), worker_number(1))));
    }
    ASSERT_TRUE(place_->journal().append(checkpoint_batch(place_->journal(), state)));  // 5 and 10
  }
  ASSERT_TRUE(place_->journal().append(batch_about(place_->journal(), worker_number(1))));

  const auto none = place_->journal().tidy(Instant(5s) - 1ns, 100);
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_FALSE(none->more);
  EXPECT_EQ(none->first, EventSeq{1});
  EXPECT_EQ(none->checkpoint_at, Instant(10s));

  const auto some = place_->journal().tidy(Instant(9s), 3);
  ASSERT_TRUE(some);
  EXPECT_TRUE(some->more);
  EXPECT_EQ(some->first, EventSeq{4});
  place_->restart();
  auto& journal = place_->journal();
  EXPECT_EQ(numbers(*journal.read({})), (std::vector<std::uint64_t>{4, 5, 6, 7, 8, 9, 10, 11}));
  while (journal.tidy(Instant(9s), 3)->more) continue;
  EXPECT_EQ(numbers(*journal.read({})), (std::vector<std::uint64_t>{5, 6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(journal.read_checkpoint(EventSeq{5})->has_value());

  while (journal.tidy(Instant(10s), 100)->more) continue;
  place_->restart();
  EXPECT_EQ(numbers(*place_->journal().read({})), (std::vector<std::uint64_t>{10, 11}));
  EXPECT_FALSE(place_->journal().read_checkpoint(EventSeq{5})->has_value());
  EXPECT_EQ(place_->journal().last_seq(), EventSeq{11});
  EXPECT_EQ(place_->journal().tidy(Instant::min(), 1)->first, EventSeq{10});
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
