#include "store/sqlite_backup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>

#include "store/scratch_directory.hpp"
#include "store/sqlite_journal.hpp"

namespace boruta::store {
namespace {

const WorkerUuid kWorker = WorkerUuid::parse("0b5c1de0-1111-4222-8333-0123456789ab").value();
constexpr std::string_view kKey = "-----BEGIN PRIVATE KEY----- of a job";

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

EventBatch batch_of_requests(const Journal& journal, std::uint64_t count) {
  EventBatch batch;
  batch.first_seq = EventSeq{journal.last_seq().value + 1};
  for (std::uint64_t seq = batch.first_seq.value; seq < batch.first_seq.value + count; ++seq) {
    batch.events.push_back({.seq = EventSeq{seq},
                            .at = {},
                            .actor = {},
                            .body = farm::WorkerNoted{.uuid = kWorker, .text = std::string(1'000, 'n')}});
    farm::Request request;
    request.id = RequestId{seq};
    request.demand = std::make_shared<const Demand>(Demand{.caps = {{"board", "x"}}, .requirements = {}});
    batch.requests.push_back(request);
  }
  return batch;
}

class SqliteBackupTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> open(const std::filesystem::path& directory) {
    auto journal = make_sqlite_journal(directory);
    if (journal) return std::move(*journal);
    ADD_FAILURE() << journal.error().message;
    return nullptr;
  }

  /// Its data directory is one that the backup was put into.
  std::unique_ptr<Journal> restore() {
    const auto directory = scratch_.path() / "restored";
    std::filesystem::create_directory(directory);
    std::filesystem::copy_file(backup(), directory / "boruta.db");
    return open(directory);
  }

  std::filesystem::path data() const { return scratch_.path() / "data"; }
  std::filesystem::path backup() const { return scratch_.path() / "backup.db"; }

 private:
  ScratchDirectory scratch_;
};

TEST_F(SqliteBackupTest, HasAllThatWasAppendedBeforeItsLastStep) {
  auto journal = open(data());
  ASSERT_TRUE(journal->append(batch_of_requests(*journal, 2'000)));
  auto backup_in_hand = journal->begin_backup(backup());
  ASSERT_TRUE(backup_in_hand) << backup_in_hand.error().message;
  int slices = 0;
  for (auto complete = (*backup_in_hand)->step(); !complete.value(); complete = (*backup_in_hand)->step()) {
    ASSERT_TRUE(journal->append(batch_of_requests(*journal, 3)));
    ++slices;
  }
  EXPECT_GT(slices, 3);
  backup_in_hand->reset();

  const auto restored = restore();
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(restored->last_seq(), journal->last_seq());
  EXPECT_EQ(restored->load()->rows.requests, journal->load()->rows.requests);
  EXPECT_EQ(*restored->read({.after = {}, .request = {}, .worker = {}, .limit = 100'000}),
            *journal->read({.after = {}, .request = {}, .worker = {}, .limit = 100'000}));
}

TEST_F(SqliteBackupTest, IsOneFileForItsOwnerAlone) {
  auto journal = open(data());
  auto backup_in_hand = journal->begin_backup(backup());
  while (!(*backup_in_hand)->step().value()) {
  }
  backup_in_hand->reset();
  struct stat found{};
  ASSERT_EQ(::stat(backup().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  EXPECT_FALSE(std::filesystem::exists(backup().string() + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(backup().string() + "-journal"));
  EXPECT_EQ(contents_of(backup()).at(18), 1) << "the header asks for a log";
}

TEST_F(SqliteBackupTest, HasNoByteOfAKey) {
  auto journal = open(data());
  auto batch = batch_of_requests(*journal, 1);
  batch.put_keys.push_back({.worker = kWorker, .pem = Secret(std::string(kKey))});
  ASSERT_TRUE(journal->append(batch));
  auto backup_in_hand = journal->begin_backup(backup());
  while (!(*backup_in_hand)->step().value()) {
  }
  backup_in_hand->reset();
  EXPECT_THAT(contents_of(backup()), testing::Not(testing::HasSubstr(kKey)));
  EXPECT_EQ(journal->load()->keys.size(), 1U) << "the journal lost its own";
  EXPECT_TRUE(restore()->load()->keys.empty());
}

TEST_F(SqliteBackupTest, TakesItsFileAwayWhenItIsGivenUp) {
  auto journal = open(data());
  ASSERT_TRUE(journal->append(batch_of_requests(*journal, 2'000)));
  auto backup_in_hand = journal->begin_backup(backup());
  ASSERT_FALSE((*backup_in_hand)->step().value());
  backup_in_hand->reset();
  EXPECT_FALSE(std::filesystem::exists(backup()));
  EXPECT_TRUE(journal->append(batch_of_requests(*journal, 1)));
}

TEST_F(SqliteBackupTest, SaysWhyTheFileCannotBeMade) {
  auto journal = open(data());
  const auto file = data() / "none" / "backup.db";
  const auto backup_in_hand = journal->begin_backup(file);
  ASSERT_FALSE(backup_in_hand);
  EXPECT_EQ(backup_in_hand.error().code, StoreErrorCode::kBusy);
  EXPECT_EQ(backup_in_hand.error().message, file.string() + ": cannot make it: No such file or directory");
}

TEST_F(SqliteBackupTest, OfAStoppedServerHasWhatItsLogStillHeld) {
  auto journal = open(data());
  ASSERT_TRUE(journal->append(batch_of_requests(*journal, 50)));
  // As a server leaves it that was killed: a log that was not emptied, and no lock.
  const auto killed = data().parent_path() / "killed";
  std::filesystem::create_directory(killed);
  for (const auto* name : {"boruta.db", "boruta.db-wal"}) std::filesystem::copy_file(data() / name, killed / name);
  const auto copied = copy_journal(killed, backup());
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(restore()->load()->rows.requests.size(), 50U);
}

TEST_F(SqliteBackupTest, IsNotTakenBehindTheBackOfARunningServer) {
  const auto journal = open(data());
  const auto copied = copy_journal(data(), backup());
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, StoreErrorCode::kFenced);
}

}  // namespace
}  // namespace boruta::store
