#include "store/sqlite_journal.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "store/data_directory.hpp"
#include "store/faulty_vfs.hpp"
#include "store/sqlite_fixture.hpp"
#include "store/sqlite_schema.hpp"

namespace boruta::store {
namespace {

TEST_F(SqliteJournalTest, LetsNobodyElseReadItsFiles) {
  auto journal = open();
  ASSERT_TRUE(journal->append(small_batch(*journal)));
  EXPECT_EQ(mode_of(directory()), 0700U);
  EXPECT_EQ(mode_of(file()), 0600U);
  EXPECT_EQ(mode_of(directory() / "boruta.db-wal"), 0600U);
  EXPECT_EQ(mode_of(directory() / "lock"), 0600U);
}

TEST_F(SqliteJournalTest, TakesBackPermissionsThatWereTooWide) {
  open();
  ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
  open();
  EXPECT_EQ(mode_of(file()), 0600U);
}

TEST_F(SqliteJournalTest, RefusesASecondServerOnTheSameDirectoryWhileTheFirstLives) {
  auto first = open();
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kFenced);
  EXPECT_EQ(error.message,
            fmt::format("the data directory {} is in use by another borutad (pid {}): stop it first, or give this one "
                        "a directory of its own",
                        directory().string(), ::getpid()));
  first.reset();
  EXPECT_NE(open(), nullptr);
}

TEST_F(SqliteJournalTest, RefusesAFileThatAnotherProgramHasOpen) {
  open();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM events", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kFenced);
  EXPECT_EQ(error.message, file().string() + " is in use by another program: stop it first");
  sqlite3_close(other);
}

TEST_F(SqliteJournalTest, RefusesTheSchemaOfANewerServerAndLeavesItAlone) {
  open();
  execute("PRAGMA user_version = 99");
  const auto before = contents_of(file());
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kCorrupt);
  EXPECT_THAT(error.message, testing::HasSubstr(file().string() + " has schema version 99 of a newer borutad"));
  EXPECT_EQ(contents_of(file()), before);
}

TEST_F(SqliteJournalTest, RefusesTheDatabaseOfAnotherProgramAndLeavesItAlone) {
  std::filesystem::create_directory(directory());
  execute("CREATE TABLE things(id)");
  const auto before = contents_of(file());
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kCorrupt);
  EXPECT_THAT(error.message, testing::HasSubstr(file().string() + " is another program's database"));
  EXPECT_EQ(contents_of(file()), before);
}

TEST_F(SqliteJournalTest, MarksTheFileAsItsOwnAndWithItsVersion) {
  open();
  auto database = Database::open(file());
  ASSERT_TRUE(database);
  EXPECT_EQ(database->number("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(database->number("PRAGMA user_version"), 7);
}

TEST_F(SqliteJournalTest, RefusesGarbageNamingTheFileAndWhatToDo) {
  std::filesystem::create_directory(directory());
  overwrite(file(), std::string(10'000, 'x'));
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kCorrupt);
  EXPECT_THAT(error.message, testing::StartsWith(file().string() + " cannot be read: "));
  EXPECT_THAT(error.message, testing::HasSubstr("Restore it from a backup"));
}

TEST_F(SqliteJournalTest, RefusesATruncatedFile) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(large_batch(*journal)));
  }
  overwrite(file(), contents_of(file()).substr(0, 20'000));
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kCorrupt);
  EXPECT_THAT(error.message, testing::StartsWith(file().string() + " cannot be read: "));
}

TEST_F(SqliteJournalTest, NamesTheRowThatCannotBeUnderstood) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"UPDATE requests SET state = 'LOST' WHERE id = 2", "column state of row 2 of requests is wrong"},
      {"UPDATE requests SET priority = 256 WHERE id = 1", "column priority of row 1 of requests is wrong"},
      {"UPDATE requests SET demand_id = 99 WHERE id = 1", "column demand_id of row 1 of requests is wrong"},
      {"UPDATE demands SET caps = '[]' WHERE id = 3", "row 3 of demands is wrong"},
      {"INSERT INTO jobs VALUES(77, zeroblob(16), 0, 0, 0, 0, 0, 0, 1, 1, 0, 0)",
       "the job of request 77 has no request"},
      {"INSERT INTO jobs VALUES(1, zeroblob(15), 0, 0, 0, 0, 0, 0, 1, 1, 0, 0)",
       "column worker of row 1 of jobs is wrong"},
  };
  for (const auto& [damage, expected] : cases) {
    std::filesystem::remove_all(directory());
    {
      auto journal = open();
      ASSERT_TRUE(journal->append(large_batch(*journal)));
    }
    execute(damage);
    const auto loaded = open()->load();
    ASSERT_FALSE(loaded) << damage;
    EXPECT_EQ(loaded.error().code, StoreErrorCode::kCorrupt);
    EXPECT_THAT(loaded.error().message, testing::HasSubstr(expected));
  }
}

TEST_F(SqliteJournalTest, NamesTheEventThatCannotBeUnderstood) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(small_batch(*journal)));
  }
  execute("UPDATE events SET body = '{}'");
  auto journal = open();
  ASSERT_TRUE(journal->load());
  const auto events = journal->read({});
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, StoreErrorCode::kCorrupt);
  EXPECT_THAT(events.error().message, testing::HasSubstr("event 1: worker_lost lacks \"worker\""));
}

TEST_F(SqliteJournalTest, LeavesNoTraceOfADeletedKey) {
  const std::string secret = "-----BEGIN RSA PRIVATE KEY-----" + std::string(1'600, 'K') + "-----END-----";
  {
    auto journal = open();
    auto batch = small_batch(*journal);
    batch.put_keys.push_back({.worker = kWorker, .pem = Secret(secret)});
    ASSERT_TRUE(journal->append(batch));
  }
  ASSERT_NE(contents_of(file()).find("KKKKKKKK"), std::string::npos);
  {
    auto journal = open();
    auto batch = small_batch(*journal);
    batch.deleted_keys.push_back(kWorker);
    ASSERT_TRUE(journal->append(batch));
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    EXPECT_EQ(contents_of(entry.path()).find("KKKKKKKK"), std::string::npos) << entry.path();
  }
}

TEST_F(SqliteJournalTest, LeavesNoTraceOfADeletedKeyWhenItIsScrubbed) {
  const std::string secret = "-----BEGIN RSA PRIVATE KEY-----" + std::string(1'600, 'K') + "-----END-----";
  const auto files_with_it = [this] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory())) {
      if (contents_of(entry.path()).contains("KKKKKKKK")) names.push_back(entry.path().filename());
    }
    return names;
  };
  auto journal = open();
  auto batch = small_batch(*journal);
  batch.put_keys.push_back({.worker = kWorker, .pem = Secret(secret)});
  ASSERT_TRUE(journal->append(batch));
  EXPECT_THAT(files_with_it(), testing::ElementsAre("boruta.db-wal"));
  batch = small_batch(*journal);
  batch.deleted_keys.push_back(kWorker);
  ASSERT_TRUE(journal->append(batch));
  EXPECT_THAT(files_with_it(), testing::ElementsAre("boruta.db-wal")) << "else the scrub proves nothing";
  ASSERT_TRUE(journal->scrub());
  EXPECT_THAT(files_with_it(), testing::IsEmpty());
  ASSERT_TRUE(journal->append(small_batch(*journal))) << "it goes on";
  ASSERT_TRUE(journal->scrub());
  EXPECT_TRUE(journal->load()->keys.empty());
}

TEST_F(SqliteJournalTest, KeepsWhatWasAppendedWhenTheProcessDies) {
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto journal = make_sqlite_journal(directory());
    const bool appended = journal && (*journal)->append(large_batch(**journal));
    ::_exit(appended ? 0 : 1);  // without a destructor: as if killed
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  auto journal = open();
  EXPECT_EQ(journal->last_seq(), EventSeq{20});
  EXPECT_EQ(journal->load()->rows.requests.size(), 20U);
}

TEST_F(SqliteJournalTest, WritesNothingOfABatchThatFindsTheDiskFullAndAllOfItLater) {
  FaultyVfs vfs;
  bool was_full = true;
  int attempts = 0;
  for (int writes = 0; was_full; ++writes) {
    std::filesystem::remove_all(directory());
    auto journal = open();
    ASSERT_TRUE(journal->append(small_batch(*journal)));
    const auto batch = large_batch(*journal);
    vfs.fill_up_after(writes);
    const auto appended = journal->append(batch);
    was_full = vfs.has_failed();
    vfs.heal();
    ASSERT_EQ(appended.has_value(), !was_full);
    if (appended) break;
    ++attempts;
    EXPECT_EQ(appended.error().code, StoreErrorCode::kBusy) << writes << ": " << appended.error().message;
    EXPECT_EQ(journal->last_seq(), EventSeq{1});
    EXPECT_EQ(journal->read({})->size(), 1U);
    EXPECT_TRUE(journal->load()->rows.requests.empty());

    const auto again = journal->append(batch);
    ASSERT_TRUE(again) << writes << ": " << again.error().message;
    journal = nullptr;
    journal = open();
    EXPECT_EQ(journal->last_seq(), EventSeq{21});
    EXPECT_EQ(journal->load()->rows.requests, batch.requests);
  }
  EXPECT_GT(attempts, 5);
}

TEST_F(SqliteJournalTest, TakesBackTheWholeBatchWhenOneOfItsLastRowsFails) {
  open();
  execute("CREATE TRIGGER fails BEFORE INSERT ON keys BEGIN SELECT RAISE(ABORT, 'made to fail'); END");
  auto journal = open();
  auto batch = large_batch(*journal);
  batch.put_keys.push_back({.worker = kWorker, .pem = Secret("x")});
  const auto appended = journal->append(batch);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, StoreErrorCode::kBusy);
  EXPECT_EQ(appended.error().message, file().string() + ": write: made to fail");
  EXPECT_TRUE(journal->load()->rows.requests.empty());

  batch.put_keys.clear();
  ASSERT_TRUE(journal->append(batch));
  EXPECT_EQ(journal->load()->rows.requests, batch.requests);
}

TEST_F(SqliteJournalTest, SaysThatTheOutcomeIsUnknownWhenTheDiskFailsToSync) {
  FaultyVfs vfs;
  auto journal = open();
  const auto batch = large_batch(*journal);
  vfs.fail_syncs();
  const auto appended = journal->append(batch);
  vfs.heal();
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, StoreErrorCode::kUnknown);
}

TEST_F(SqliteJournalTest, SaysWhyADirectoryCannotBeUsed) {
  overwrite(directory(), "a file");
  const auto error = refusal();
  EXPECT_EQ(error.code, StoreErrorCode::kBusy);
  EXPECT_EQ(error.message, directory().string() + ": cannot use it: Not a directory");
}

TEST_F(SqliteJournalTest, ReadsHistoriesThroughAnIndex) {
  open();
  auto database = Database::open(file());
  ASSERT_TRUE(database);
  const std::vector<std::pair<std::string, std::string>> cases{{"request_id = ?3", "events_of_request"},
                                                               {"worker = ?4", "events_of_worker"},
                                                               {"request_id = ?3 AND worker = ?4", "events_of_"}};
  for (const auto& [condition, index] : cases) {
    auto plan = database->prepare("EXPLAIN QUERY PLAN SELECT body FROM events WHERE seq > ?1 AND " + condition +
                                  " ORDER BY seq LIMIT ?2");
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->step(), SQLITE_ROW);
    EXPECT_THAT(std::string(plan->text(3)), testing::HasSubstr("USING INDEX " + index));
    EXPECT_EQ(plan->step(), SQLITE_DONE) << "sorts: " << plan->text(3);
  }
}

}  // namespace
}  // namespace boruta::store
