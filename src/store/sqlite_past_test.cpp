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

constexpr Instant kThen = Instant(std::chrono::seconds(1));
/// All that can be made, forgotten and given back, is.
constexpr TidyOrder kAll{.now = kThen, .checkpoint_since = kThen, .forget_until = Instant::max()};

/// `count` events of a page's size each.
void append_many(Journal& journal, std::size_t count) {
  EventBatch batch;
  batch.first_seq = EventSeq{journal.last_seq().value + 1};
  for (auto seq = batch.first_seq; batch.events.size() < count; ++seq.value) {
    batch.events.push_back({.seq = seq,
                            .at = {},
                            .actor = {},
                            .body = farm::WorkerNoted{.uuid = kWorker, .text = std::string(3'500, 'n')}});
  }
  ASSERT_TRUE(journal.append(batch));
}

/// How many rows a database has in `table`.
std::int64_t rows_of(const std::filesystem::path& file, std::string_view table) {
  auto database = Database::open(file).value();
  return database.number(fmt::format("SELECT count(*) FROM {}", table)).value();
}

TEST_F(SqlitePastTest, GivesRoomBackWhenMuchOfTheFileIsEmpty) {
  constexpr std::size_t kEvents = 6'000;
  auto journal = open();
  append_many(*journal, kEvents);
  ASSERT_TRUE(journal->scrub());
  const auto large = std::filesystem::file_size(file());
  int slices = 0;
  for (bool more = true; more; ++slices) {
    const auto tidied = journal->tidy(kAll, 500);
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
    const auto tidied = journal->tidy(kAll, 100);
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
  for (bool more = true; more;) more = journal->tidy(kAll, 500)->more;
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

TEST_F(SqlitePastTest, CopiesAFewRowsAtATimeForACheckpoint) {
  auto journal = open();
  ASSERT_TRUE(journal->append(large_batch(*journal)));  // 20 requests
  int slices = 0;
  while (!*journal->read_checkpoint()) {
    ASSERT_TRUE(journal->tidy(kAll, 3));
    ++slices;
  }
  // One at least for each other table.
  EXPECT_EQ(slices, 7 + 6);
  EXPECT_EQ(journal->read_checkpoint().value()->requests.size(), 20U);
}

TEST_F(SqlitePastTest, ClearsWhatAServerThatDiedLeftOfACheckpoint) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(large_batch(*journal)));
    for (int slice = 0; slice < 8; ++slice) ASSERT_TRUE(journal->tidy(kAll, 3));
  }
  ASSERT_GT(rows_of(file(), "checkpoint_rows"), 10);
  {
    auto journal = open();
    ASSERT_TRUE(journal->load());
    EXPECT_EQ(*journal->read_checkpoint(), std::nullopt);
    while (journal->tidy({}, 3)->more) continue;
  }
  EXPECT_EQ(rows_of(file(), "checkpoint_rows"), 0);
  EXPECT_EQ(rows_of(file(), "checkpoints"), 0);
}

TEST_F(SqlitePastTest, ClearsACheckpointOnceThoseBehindItAreEnough) {
  {
    auto journal = open();
    for (int round = 1; round <= 3; ++round) {
      ASSERT_TRUE(journal->append(large_batch(*journal)));
      const auto now = Instant(std::chrono::seconds(round));
      while (journal->tidy({.now = now, .checkpoint_since = now, .forget_until = now}, 7)->more) continue;
    }
    EXPECT_EQ(journal->read_checkpoint().value()->requests.size(), 60U);
  }
  EXPECT_EQ(rows_of(file(), "checkpoint_rows"), 60);
  EXPECT_EQ(rows_of(file(), "checkpoints"), 1);
}

TEST_F(SqlitePastTest, NamesTheRowOfACheckpointThatCannotBeUnderstood) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(large_batch(*journal)));
    while (journal->tidy(kAll, 100)->more) continue;
  }
  for (const auto* row : {"nonsense", R"({"id":"x"})", "[]"}) {
    execute(fmt::format("UPDATE checkpoint_rows SET row = '{}' WHERE key = 2", row));
    const auto read = open()->read_checkpoint();
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, StoreErrorCode::kCorrupt);
    EXPECT_THAT(read.error().message, testing::HasSubstr("row 2 of requests in its checkpoint cannot be understood"));
  }
  execute("UPDATE checkpoint_rows SET kind = 'jobs', row = '{\"request_id\":2}' WHERE key = 2");
  const auto read = open()->read_checkpoint();
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, testing::HasSubstr("a checkpoint's job of request 2 has no request"));
}

}  // namespace
}  // namespace boruta::store
