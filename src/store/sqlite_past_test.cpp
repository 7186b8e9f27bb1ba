#include "store/sqlite_past.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "store/faulty_vfs.hpp"
#include "store/sqlite_fixture.hpp"

namespace boruta::store {
namespace {

using SqlitePastTest = SqliteJournalTest;

/// `count` events of a page's size each, then a checkpoint.
void append_many(Journal& journal, std::size_t count) {
  EventBatch batch;
  batch.first_seq = EventSeq{journal.last_seq().value + 1};
  for (auto seq = batch.first_seq; batch.events.size() < count; ++seq.value) {
    batch.events.push_back({.seq = seq,
                            .at = {},
                            .actor = {},
                            .body = farm::WorkerNoted{.uuid = kWorker, .text = std::string(3'500, 'n')}});
  }
  batch.events.push_back({.seq = EventSeq{batch.last_seq().value + 1},
                          .at = Instant(std::chrono::seconds(1)),
                          .actor = {},
                          .body = farm::Checkpoint{.state = std::make_shared<const farm::Rows>()}});
  ASSERT_TRUE(journal.append(batch));
}

TEST_F(SqlitePastTest, GivesRoomBackWhenMuchOfTheFileIsEmpty) {
  constexpr std::size_t kEvents = 6'000;
  auto journal = open();
  append_many(*journal, kEvents);
  ASSERT_TRUE(journal->scrub());
  const auto large = std::filesystem::file_size(file());
  int slices = 0;
  for (bool more = true; more; ++slices) {
    const auto tidied = journal->tidy(Instant::max(), 500);
    ASSERT_TRUE(tidied) << tidied.error().message;
    more = tidied->more;
  }
  EXPECT_GT(slices, 18);
  ASSERT_TRUE(journal->scrub());
  EXPECT_LT(std::filesystem::file_size(file()), large / 3);
  EXPECT_EQ(journal->read({})->size(), 1U);
  journal.reset();
  EXPECT_TRUE(open()->load());
}

TEST_F(SqlitePastTest, ForgetsAndShrinksWhollyOrNotAtAllOnADiskThatFillsUp) {
  FaultyVfs vfs;
  constexpr std::size_t kEvents = 3'000;
  auto journal = open();
  append_many(*journal, kEvents);
  int refused = 0;
  for (int writes = 0; refused < 10; ++writes) {
    vfs.fill_up_after(writes % 20);
    const auto tidied = journal->tidy(Instant::max(), 100);
    vfs.heal();
    if (!tidied) {
      ++refused;
      EXPECT_EQ(tidied.error().code, StoreErrorCode::kBusy) << tidied.error().message;
    } else if (!tidied->more) {
      break;
    }
    const auto events = journal->read({.after = {}, .request = {}, .worker = {}, .limit = kEvents * 2});
    ASSERT_TRUE(events);
    EXPECT_EQ(events->size(), journal->last_seq().value - events->front().seq.value + 1);
  }
  EXPECT_GT(refused, 3);
  for (bool more = true; more;) more = journal->tidy(Instant::max(), 500)->more;
  journal.reset();
  journal = open();
  EXPECT_EQ(journal->read({})->size(), 1U);
}

TEST_F(SqlitePastTest, DropsAtTheNextStartWhatNoRequestAsksForAnyMore) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(large_batch(*journal)));
    auto batch = small_batch(*journal);
    batch.deleted_requests = {RequestId{3}, RequestId{4}};
    ASSERT_TRUE(journal->append(batch));
  }
  {
    auto journal = open();
    ASSERT_EQ(journal->load()->rows.requests.size(), 18U);
    // It can be asked for again.
    auto batch = small_batch(*journal);
    batch.requests = {large_batch(*journal).requests[0]};
    batch.requests[0].demand = std::make_shared<const Demand>(Demand{.caps = {{"number", "3"}}, .requirements = {}});
    ASSERT_TRUE(journal->append(batch));
    ASSERT_EQ(journal->load()->rows.requests.size(), 19U);
  }
  auto database = Database::open(file());
  ASSERT_TRUE(database);
  EXPECT_EQ(database->number("SELECT count(*) FROM demands"), 19);
}

TEST_F(SqlitePastTest, NamesTheCheckpointThatCannotBeUnderstood) {
  {
    auto journal = open();
    append_many(*journal, 1);
  }
  for (const auto& [state, expected] : std::vector<std::pair<std::string, std::string>>{
           {"nonsense", "event 2: the checkpoint's state cannot be understood"},
           {"{}", "event 2: the checkpoint's users cannot be understood"}}) {
    execute(fmt::format("UPDATE checkpoints SET state = '{}'", state));
    const auto read = open()->read_checkpoint(EventSeq{2});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, StoreErrorCode::kCorrupt);
    EXPECT_THAT(read.error().message, testing::HasSubstr(expected));
  }
}

}  // namespace
}  // namespace boruta::store
