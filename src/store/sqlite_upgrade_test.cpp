#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "farm/farm.hpp"
#include "store/sqlite_fixture.hpp"

/// Databases of every earlier schema are brought forward.
namespace boruta::store {
namespace {

class SqliteUpgrade : public SqliteJournalTest {
 protected:
  /// A database that was written with this schema, opened.
  std::unique_ptr<Journal> open_schema(int number) {
    std::filesystem::create_directory(directory());
    std::filesystem::copy(fmt::format("{}/schema-{}.db", BORUTA_TEST_DATA, number), file());
    return open();
  }
};

/// Its events, too, are understood: they still make its rows.
void expect_rows_of_events(Journal& journal, const farm::Rows& rows) {
  const auto events = journal.read({.after = {}, .request = {}, .worker = {}, .limit = 1'000});
  ASSERT_TRUE(events) << events.error().message;
  farm::Farm replayed(farm::Policy{});
  farm::Touched touched;
  for (const auto& event : *events) farm::apply_event(replayed, event, touched);
  EXPECT_TRUE(replayed.rows() == rows);
}

/// The farm of the two earliest schemas.
void expect_earliest_farm(Journal& journal) {
  const auto loaded = journal.load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto& requests = loaded->rows.requests;
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(*requests[0].demand, (Demand{.caps = {{"board", "sim"}}, .requirements = {}}));
  EXPECT_EQ(requests[0].state, farm::RequestState::kDone);
  ASSERT_TRUE(requests[0].job);
  EXPECT_FALSE(requests[0].job->overdue);
  EXPECT_EQ(*requests[1].demand, (Demand{.caps = {{"board", "none"}}, .requirements = {}}));
  EXPECT_EQ(loaded->rows.workers.size(), 2U);
  EXPECT_EQ(loaded->rows.last_request, requests.back().id);
  expect_rows_of_events(journal, loaded->rows);
}

TEST_F(SqliteUpgrade, BringsADatabaseOfTheFirstSchemaForward) { expect_earliest_farm(*open_schema(1)); }

TEST_F(SqliteUpgrade, BringsADatabaseOfTheSecondSchemaForward) { expect_earliest_farm(*open_schema(2)); }

TEST_F(SqliteUpgrade, BringsADatabaseOfTheThirdSchemaForward) {
  auto journal = open_schema(3);
  const auto loaded = journal->load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto& rows = loaded->rows;
  ASSERT_EQ(rows.requests.size(), 3U);
  EXPECT_EQ(rows.requests[2].state, farm::RequestState::kInProgress);
  EXPECT_FALSE(rows.requests[2].job->own_keys);
  ASSERT_EQ(rows.tokens.size(), 6U);
  EXPECT_TRUE(rows.tokens[3].reusable);
  EXPECT_FALSE(rows.tokens[3].max_workers);
  EXPECT_FALSE(rows.tokens[3].in_service);
  EXPECT_FALSE(rows.tokens[0].last_used);
  EXPECT_EQ(rows.users[2].ceilings.running, 3U);
  EXPECT_TRUE(rows.user_keys.empty());
  ASSERT_EQ(loaded->keys.size(), 1U);
  EXPECT_EQ(loaded->keys[0].pem.reveal(), "a private key");
  expect_rows_of_events(*journal, loaded->rows);
}

TEST_F(SqliteUpgrade, BringsADatabaseOfTheFourthSchemaForwardAndGivesItsPagesChecksums) {
  auto journal = open_schema(4);
  const auto loaded = journal->load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto& rows = loaded->rows;
  ASSERT_EQ(rows.requests.size(), 3U);
  EXPECT_EQ(rows.requests[2].state, farm::RequestState::kInProgress);
  ASSERT_EQ(rows.user_keys.size(), 1U);
  EXPECT_EQ(rows.user_keys[0].name, "laptop");
  ASSERT_EQ(loaded->keys.size(), 1U);
  EXPECT_EQ(loaded->keys[0].pem.reveal(), "a private key");
  expect_rows_of_events(*journal, rows);

  journal.reset();
  auto content = contents_of(file());
  content[content.find("\"board\"") + 1] ^= 1;
  overwrite(file(), content);
  auto damaged = make_sqlite_journal(directory());
  ASSERT_FALSE(damaged && (*damaged)->load());
}

TEST_F(SqliteUpgrade, BringsADatabaseOfTheFifthSchemaForwardAndMakesItShrinkable) {
  auto journal = open_schema(5);
  const auto loaded = journal->load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto& rows = loaded->rows;
  ASSERT_EQ(rows.requests.size(), 3U);
  ASSERT_EQ(rows.user_keys.size(), 1U);
  EXPECT_EQ(rows.last_request, RequestId{3});
  EXPECT_FALSE(rows.forgotten_until);
  expect_rows_of_events(*journal, rows);

  journal.reset();
  auto database = Database::open(file());
  ASSERT_TRUE(database);
  EXPECT_EQ(database->number("PRAGMA auto_vacuum"), 2);
}

TEST_F(SqliteUpgrade, BringsADatabaseOfThePreviousSchemaForwardAndMakesItsFirstCheckpointAnew) {
  auto journal = open_schema(6);
  const auto loaded = journal->load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->rows.requests.size(), 3U);
  expect_rows_of_events(*journal, loaded->rows);
  EXPECT_EQ(*journal->read_checkpoint(), std::nullopt);
  while (journal->tidy({.now = {}, .checkpoint_since = Instant::max()}, 100)->more) continue;
  const auto checkpoint = journal->read_checkpoint();
  ASSERT_TRUE(checkpoint && *checkpoint);
  EXPECT_EQ((*checkpoint)->requests.size(), 2U);
  EXPECT_EQ((*checkpoint)->users, loaded->rows.users);
}

}  // namespace
}  // namespace boruta::store
