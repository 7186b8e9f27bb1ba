#include "dryad/files.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <sys/stat.h>
#include <thread>
#include <tuple>
#include <unistd.h>

#include "dryad/scratch_dir.hpp"
#include "dryad/state.hpp"
#include "runtime/descriptor.hpp"

namespace boruta::dryad {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

TEST(WriteFileDurably, ReplacesTheFileAndSetsItsMode) {
  const ScratchDir scratch;
  const auto file = scratch.path() / "f";
  write(file, "old");
  ASSERT_TRUE(write_file_durably(file, "new", 0600).has_value());
  EXPECT_EQ(read_file(file, 100), "new");
  struct stat info{};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_FALSE(fs::exists(file.native() + ".new"));
}

TEST(WriteFileDurably, LeavesTheOldFileWhenItFails) {
  const ScratchDir scratch;
  const auto file = scratch.path() / "f";
  write(file, "old");
  fs::create_directory(file.native() + ".new");
  const auto written = write_file_durably(file, "new", 0600);
  ASSERT_FALSE(written.has_value());
  EXPECT_TRUE(written.error().starts_with(file.native() + ".new: "));
  EXPECT_EQ(read_file(file, 100), "old");
}

TEST(ReadFile, RefusesWhatIsTooLargeOrNoFile) {
  const ScratchDir scratch;
  write(scratch.path() / "f", "12345");
  EXPECT_TRUE(read_file(scratch.path() / "f", 5).has_value());
  EXPECT_FALSE(read_file(scratch.path() / "f", 4).has_value());
  EXPECT_FALSE(read_file(scratch.path(), 100).has_value());
  EXPECT_FALSE(read_file(scratch.path() / "none", 100).has_value());
}

TEST(RemoveTree, RemovesAllAndFollowsNoLink) {
  const ScratchDir scratch;
  fs::create_directories(scratch.path() / "outside");
  write(scratch.path() / "outside/keep", "x");
  const auto tree = scratch.path() / "tree";
  fs::create_directories(tree / "a/b");
  write(tree / "a/b/file", "x");
  fs::create_directory_symlink(scratch.path() / "outside", tree / "a/link");
  fs::create_symlink("/nonexistent", tree / "dangling");
  ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(remove_tree(tree).has_value());
  EXPECT_FALSE(fs::exists(tree));
  EXPECT_TRUE(fs::exists(scratch.path() / "outside/keep"));
  EXPECT_TRUE(remove_tree(tree).has_value()) << "nothing there is no error";
}

TEST(RemoveTree, RemovesALinkAndNotWhatItPointsTo) {
  const ScratchDir scratch;
  fs::create_directories(scratch.path() / "outside/inner");
  fs::create_directory_symlink(scratch.path() / "outside", scratch.path() / "link");
  EXPECT_TRUE(remove_tree(scratch.path() / "link").has_value());
  EXPECT_FALSE(fs::is_symlink(scratch.path() / "link"));
  EXPECT_TRUE(fs::exists(scratch.path() / "outside/inner"));
}

TEST(RemoveTree, RemovesDirectoriesThatDenyAccess) {
  const ScratchDir scratch;
  const auto tree = scratch.path() / "tree";
  fs::create_directories(tree / "closed/inner");
  write(tree / "closed/inner/file", "x");
  ::chmod((tree / "closed/inner").c_str(), 0500);
  ::chmod((tree / "closed").c_str(), 0);
  ::chmod(tree.c_str(), 0);
  EXPECT_TRUE(remove_tree(tree).has_value());
  EXPECT_FALSE(fs::exists(tree));
}

TEST(RemoveTree, RemovesNestingDeeperThanOpenFilesAllow) {
  const ScratchDir scratch;
  const auto tree = scratch.path() / "tree";
  fs::create_directory(tree);
  int fd = ::open(tree.c_str(), O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::mkdirat(fd, "d", 0700), 0);
    const int next = ::openat(fd, "d", O_RDONLY | O_DIRECTORY);
    ::close(fd);
    fd = next;
  }
  ::close(fd);
  // The names under which it moves deep directories up, taken by somebody who has read this.
  for (int i = 0; i < 3; ++i) fs::create_directory(tree / fmt::format(".boruta-removing-{}", i));
  const auto removed = remove_tree(tree);
  EXPECT_TRUE(removed.has_value()) << removed.error();
  EXPECT_FALSE(fs::exists(tree));
}

TEST(RemoveOwned, RemovesOneUsersFilesAndNoOthers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr uid_t kUser = 54321;
  const ScratchDir scratch;
  const auto own = [&](const fs::path& path) { ASSERT_EQ(::lchown(path.c_str(), kUser, kUser), 0); };
  fs::create_directories(scratch.path() / "theirs/sub");
  write(scratch.path() / "theirs/sub/file", "x");
  own(scratch.path() / "theirs");
  own(scratch.path() / "theirs/sub");
  own(scratch.path() / "theirs/sub/file");
  fs::create_directories(scratch.path() / "ours/shared");
  write(scratch.path() / "ours/keep", "x");
  write(scratch.path() / "ours/shared/theirs", "x");
  own(scratch.path() / "ours/shared/theirs");
  fs::create_directory(scratch.path() / "mixed");
  write(scratch.path() / "mixed/ours", "x");
  own(scratch.path() / "mixed");
  fs::create_symlink(scratch.path() / "ours", scratch.path() / "link");
  own(scratch.path() / "link");

  ASSERT_TRUE(remove_owned(scratch.path(), kUser).has_value());
  EXPECT_FALSE(fs::exists(scratch.path() / "theirs"));
  EXPECT_FALSE(fs::is_symlink(scratch.path() / "link"));
  EXPECT_TRUE(fs::exists(scratch.path() / "ours/keep"));
  EXPECT_FALSE(fs::exists(scratch.path() / "ours/shared/theirs"));
  EXPECT_TRUE(fs::exists(scratch.path() / "mixed/ours"));
  struct stat info{};
  ASSERT_EQ(::stat((scratch.path() / "mixed").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U) << "the next user may get the same uid";
}

TEST(RemoveOwned, LooksIntoWhateverTheUserCouldEnter) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr uid_t kUser = 54321;
  for (const auto& [mode, entered] : {std::pair{0755U, true}, {0701U, true}, {0710U, true}, {0700U, false}}) {
    const ScratchDir scratch;
    const auto file = scratch.path() / "ours/theirs";
    fs::create_directory(scratch.path() / "ours");
    write(file, "x");
    ASSERT_EQ(::lchown(file.c_str(), kUser, kUser), 0);
    ASSERT_EQ(::chmod((scratch.path() / "ours").c_str(), mode), 0);
    ASSERT_TRUE(remove_owned(scratch.path(), kUser).has_value());
    EXPECT_NE(fs::exists(file), entered) << mode;
  }
}

/// Calls `act` over and over on a thread of its own, until it goes.
class Meanwhile {
 public:
  explicit Meanwhile(std::function<void()> act)
      : thread_([act = std::move(act)](const std::stop_token& end) {
          while (!end.stop_requested()) act();
        }) {}

 private:
  std::jthread thread_;
};

TEST(RemoveOwned, GivesToRootNothingThatAnotherUserPutInItsPlace) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr uid_t kUser = 54321;
  constexpr uid_t kOther = 54323;
  const ScratchDir scratch;
  const auto mixed = scratch.path() / "mixed";
  const auto others = scratch.path() / "others";
  fs::create_directory(mixed);
  write(mixed / "ours", "x");
  write(others, "x");
  ASSERT_EQ(::chown(others.c_str(), kOther, kOther), 0);
  const runtime::Descriptor file(::open(others.c_str(), O_RDONLY));
  const runtime::Descriptor dir(::open(mixed.c_str(), O_RDONLY));
  const Meanwhile swapping([&] { ::renameat2(AT_FDCWD, mixed.c_str(), AT_FDCWD, others.c_str(), RENAME_EXCHANGE); });
  struct stat info{};
  for (int i = 0; i < 2000; ++i) {
    for (const auto* one : {&file, &dir}) {
      ASSERT_EQ(::fstat(one->get(), &info), 0);
      const bool directory = S_ISDIR(info.st_mode);
      ASSERT_EQ(::fchown(one->get(), directory ? kUser : uid_t(-1), gid_t(-1)), 0);
      ASSERT_TRUE(directory || info.st_uid == kOther);
    }
    // It may fail: what it found is not what it is to remove.
    std::ignore = remove_owned(scratch.path(), kUser);
  }
}

TEST(FileStateStore, KeepsEverythingOverARestart) {
  const ScratchDir scratch;
  FileStateStore store(scratch.path() / "state.json");
  EXPECT_FALSE(store.load()->has_value());
  const auto fresh = store.load_or_make();
  ASSERT_TRUE(fresh.has_value());
  EXPECT_EQ(fresh->instance.size(), 32U);
  const AgentState state{.instance = fresh->instance,
                         .generation = Generation{1ULL << 60U},
                         .prepared = true,
                         .job = RequestId{42},
                         .job_end = Instant(std::chrono::microseconds(1'800'000'000'000'001)),
                         .lost_grace = std::chrono::milliseconds(5),
                         .ending = true};
  ASSERT_TRUE(store.save(state).has_value());
  EXPECT_EQ(FileStateStore(scratch.path() / "state.json").load_or_make(), state);
}

TEST(FileStateStore, RefusesAFileThatItDoesNotUnderstand) {
  const ScratchDir scratch;
  for (const auto* text : {"", "{", "{}", "[]", R"({"instance":7})"}) {
    write(scratch.path() / "state.json", text);
    const auto state = FileStateStore(scratch.path() / "state.json").load_or_make();
    ASSERT_FALSE(state.has_value()) << text;
    EXPECT_TRUE(state.error().starts_with((scratch.path() / "state.json: not a state file").native())) << state.error();
  }
}

TEST(FileStateStore, FollowsNoLink) {
  const ScratchDir scratch;
  FileStateStore elsewhere(scratch.path() / "elsewhere.json");
  ASSERT_TRUE(elsewhere.save({.instance = "one"}).has_value());
  fs::create_symlink("elsewhere.json", scratch.path() / "state.json");
  EXPECT_FALSE(FileStateStore(scratch.path() / "state.json").load().has_value());
}

TEST(StateDirLock, BelongsToOneAtATime) {
  const ScratchDir scratch;
  const auto dir = scratch.path() / "a/b";
  {
    const auto first = StateDirLock::take(dir);
    ASSERT_TRUE(first.has_value()) << first.error();
    EXPECT_FALSE(StateDirLock::take(dir).has_value());
  }
  EXPECT_TRUE(StateDirLock::take(dir).has_value());
}

TEST(StateDirLock, RefusesADirectoryThatOthersMayWriteTo) {
  const ScratchDir scratch;
  ::chmod(scratch.path().c_str(), 0777);
  EXPECT_FALSE(StateDirLock::take(scratch.path()).has_value());
  struct stat info{};
  ASSERT_EQ(::stat(scratch.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0777U) << "and leaves it as it was";
}

}  // namespace
}  // namespace boruta::dryad
