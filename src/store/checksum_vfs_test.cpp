#include "store/checksum_vfs.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "store/scratch_directory.hpp"
#include "store/sqlite_backup.hpp"
#include "store/sqlite_journal.hpp"

namespace boruta::store {
namespace {

constexpr std::size_t kPage = 4096;
const WorkerUuid kWorker = WorkerUuid::parse("0b5c1de0-1111-4222-8333-0123456789ab").value();

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void overwrite(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// All that a farm reads from its journal.
struct Content {
  farm::Rows rows;
  farm::Events events;

  bool operator==(const Content&) const = default;
};

class DamageTest : public testing::Test {
 protected:
  void SetUp() override {
    auto journal = make_sqlite_journal(directory());
    ASSERT_TRUE(journal) << journal.error().message;
    for (int batches = 0; batches < 8; ++batches) ASSERT_TRUE((*journal)->append(next_batch(**journal)));
    journal->reset();
    sound_ = contents_of(file());
    before_ = read().value();
  }

  /// Of rows, events, and texts that go on over pages of their own.
  static EventBatch next_batch(const Journal& journal) {
    EventBatch batch;
    batch.first_seq = EventSeq{journal.last_seq().value + 1};
    for (auto seq = batch.first_seq.value; seq < batch.first_seq.value + 20; ++seq) {
      batch.events.push_back({.seq = EventSeq{seq},
                              .at = {},
                              .actor = {},
                              .body = farm::WorkerNoted{.uuid = kWorker, .text = std::string(seq * 20, 'n')}});
      farm::Request request;
      request.id = RequestId{seq};
      request.demand =
          std::make_shared<const Demand>(Demand{.caps = {{"number", std::to_string(seq / 7)}}, .requirements = {}});
      request.reason = std::string(seq % 90, 'r');
      batch.requests.push_back(request);
    }
    return batch;
  }

  std::expected<Content, StoreError> read() {
    auto journal = make_sqlite_journal(directory());
    if (!journal) return std::unexpected(journal.error());
    auto loaded = (*journal)->load();
    if (!loaded) return std::unexpected(loaded.error());
    auto events = (*journal)->read({.after = {}, .request = {}, .worker = {}, .limit = 1'000'000});
    if (!events) return std::unexpected(events.error());
    return Content{.rows = std::move(loaded->rows), .events = std::move(*events)};
  }

  /// Whether the damage was found. What is read all the same must be what was written.
  bool finds(const std::string& damaged, const std::string& what) {
    overwrite(file(), damaged);
    const auto seen = read();
    if (seen) {
      EXPECT_TRUE(*seen == before_) << what << " gave other content";
      return false;
    }
    EXPECT_EQ(seen.error().code, StoreErrorCode::kCorrupt) << what << ": " << seen.error().message;
    EXPECT_THAT(seen.error().message, testing::StartsWith(file().string())) << what;
    return true;
  }

  const std::string& sound() const { return sound_; }
  std::filesystem::path directory() const { return scratch_.path() / "data"; }
  std::filesystem::path file() const { return directory() / "boruta.db"; }
  std::filesystem::path backup() const { return scratch_.path() / "backup.db"; }

 private:
  ScratchDirectory scratch_;
  std::string sound_;
  Content before_;
};

TEST_F(DamageTest, OfOneBitIsFoundOrDoesNoHarm) {
  std::mt19937_64 random(20'260'101);
  int found = 0;
  constexpr int kFlips = 300;
  for (int flip = 0; flip < kFlips; ++flip) {
    auto damaged = sound();
    const auto bit = random() % (damaged.size() * 8);
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    if (finds(damaged, fmt::format("a flip of bit {}", bit))) ++found;
  }
  // Pages of indices that neither loading nor reading all events looks at are the rest.
  EXPECT_GT(found, kFlips * 8 / 10);
}

TEST_F(DamageTest, OfAPageThatIsLostTornOrInAnothersPlaceIsFoundOrDoesNoHarm) {
  const auto pages = sound().size() / kPage;
  ASSERT_GT(pages, 50U);
  std::size_t found = 0;
  for (std::size_t page = 1; page < pages; ++page) {
    const auto other = page + 1 < pages ? page + 1 : 1;
    auto zeroed = sound();
    zeroed.replace(page * kPage, kPage, std::string(kPage, '\0'));
    auto torn = sound();
    torn.replace(page * kPage, 512, sound().substr(other * kPage, 512));
    auto misplaced = sound();
    misplaced.replace(page * kPage, kPage, sound().substr(other * kPage, kPage));
    found += finds(zeroed, fmt::format("page {} lost", page + 1)) ? 1U : 0U;
    found += finds(torn, fmt::format("page {} torn", page + 1)) ? 1U : 0U;
    found += finds(misplaced, fmt::format("page {} misplaced", page + 1)) ? 1U : 0U;
  }
  EXPECT_GT(found, pages * 3 * 8 / 10);
}

TEST_F(DamageTest, SaysWhatToDo) {
  auto damaged = sound();
  damaged[damaged.find("\"number\"") + 2] ^= 1;
  overwrite(file(), damaged);
  const auto seen = read();
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().message, file().string() +
                                      " cannot be read: a page of it is not what was written, its checksum is wrong. "
                                      "Restore it from a backup, or move it and its -wal file away to start with an "
                                      "empty farm");
}

TEST_F(DamageTest, AnywhereIsFoundByABackup) {
  std::mt19937_64 random(20'260'102);
  for (std::size_t page = 0; page < sound().size() / kPage; ++page) {
    auto damaged = sound();
    damaged[page * kPage + 100 + random() % (kPage - 100)] ^= 4;
    overwrite(file(), damaged);
    const auto copied = copy_journal(directory(), backup());
    ASSERT_FALSE(copied) << "page " << page + 1;
    EXPECT_EQ(copied.error().code, StoreErrorCode::kCorrupt) << copied.error().message;
    EXPECT_FALSE(std::filesystem::exists(backup()));
  }
}

TEST_F(DamageTest, OfABackupIsFoundWhenItIsRestored) {
  ASSERT_TRUE(copy_journal(directory(), backup()));
  auto damaged = contents_of(backup());
  EXPECT_FALSE(finds(damaged, "the backup as it is"));
  damaged[damaged.find("\"number\"") + 2] ^= 1;
  EXPECT_TRUE(finds(damaged, "the backup with another bit"));
}

TEST(PageChecksum, DependsOnEveryWordAndOnThePlace) {
  std::vector<std::uint8_t> content(kPage - kChecksumBytes, 0);
  const auto sum = page_checksum(content, 1);
  EXPECT_NE(sum, page_checksum(content, 2));
  EXPECT_NE(sum, 0U);
  for (std::size_t at = 0; at < content.size(); ++at) {
    content[at] = 0x80;
    EXPECT_NE(sum, page_checksum(content, 1)) << at;
    content[at] = 0;
  }
}

}  // namespace
}  // namespace boruta::store
