#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>

#include "store/scratch_directory.hpp"
#include "store/sqlite_database.hpp"
#include "store/sqlite_journal.hpp"

/// A directory for a journal in SQLite, and batches for it.
namespace boruta::store {

inline const WorkerUuid kWorker = WorkerUuid::parse("0b5c1de0-1111-4222-8333-0123456789ab").value();

class SqliteJournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> open() {
    auto journal = make_sqlite_journal(directory());
    if (!journal) {
      ADD_FAILURE() << journal.error().message;
      return nullptr;
    }
    return std::move(*journal);
  }

  StoreError refusal() {
    auto journal = make_sqlite_journal(directory());
    if (journal) {
      ADD_FAILURE() << "was opened";
      return {};
    }
    return journal.error();
  }

  /// Runs SQL on the file while no journal has it.
  void execute(const std::string& sql) {
    auto database = Database::open(file());
    ASSERT_TRUE(database) << database.error().message;
    const auto done = database->execute("tamper", sql);
    ASSERT_TRUE(done) << done.error().message;
  }

  std::filesystem::path directory() const { return scratch_.path() / "data"; }
  std::filesystem::path file() const { return directory() / "boruta.db"; }

 private:
  ScratchDirectory scratch_;
};

inline mode_t mode_of(const std::filesystem::path& path) {
  struct stat found{};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 0777U;
}

inline std::string contents_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void overwrite(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

/// Several pages' worth, so that it takes many writes.
inline EventBatch large_batch(const Journal& journal) {
  EventBatch batch;
  batch.first_seq = EventSeq{journal.last_seq().value + 1};
  for (std::uint64_t seq = batch.first_seq.value; seq < batch.first_seq.value + 20; ++seq) {
    batch.events.push_back({.seq = EventSeq{seq},
                            .at = {},
                            .actor = {},
                            .body = farm::WorkerNoted{.uuid = kWorker, .text = std::string(1'000, 'n')}});
    farm::Request request;
    request.id = RequestId{seq};
    request.demand =
        std::make_shared<const Demand>(Demand{.caps = {{"number", std::to_string(seq)}}, .requirements = {}});
    batch.requests.push_back(request);
  }
  return batch;
}

inline EventBatch small_batch(const Journal& journal) {
  EventBatch batch;
  batch.first_seq = EventSeq{journal.last_seq().value + 1};
  batch.events.push_back({.seq = batch.first_seq, .at = {}, .actor = {}, .body = farm::WorkerLost{.uuid = kWorker}});
  return batch;
}

}  // namespace boruta::store
