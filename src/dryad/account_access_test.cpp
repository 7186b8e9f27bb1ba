#include "dryad/account_access.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

#include "dryad/files.hpp"
#include "dryad/processes.hpp"
#include "dryad/scratch_dir.hpp"
#include "dryad/ssh_for_tests.hpp"
#include "dryad/sshd_process.hpp"
#include "dryad/subprocess.hpp"
#include "dryad/worker.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

TEST(UserNames, AreThoseThatUseraddTakes) {
  for (const auto* good : {"boruta-user", "_x", "a1"}) EXPECT_TRUE(is_user_name(good)) << good;
  for (const auto* bad : {"", "-rf", "Root", "a b", "a/b", "1a", "a:b", "abcdefghijklmnopqrstuvwxyzabcdefg"}) {
    EXPECT_FALSE(is_user_name(bad)) << bad;
  }
}

TEST(UserUids, LeaveRootSystemAndNobodyAlone) {
  for (const uid_t bad : {uid_t{0}, uid_t{1}, uid_t{999}, uid_t{65534}, static_cast<uid_t>(-1)}) {
    EXPECT_FALSE(is_user_uid(bad)) << bad;
  }
  EXPECT_TRUE(is_user_uid(1000));
}

TEST(Shells, ThatEndEveryLoginAreKnown) {
  for (const auto* bad : {"/usr/sbin/nologin", "/sbin/nologin", "/bin/false"}) EXPECT_TRUE(refuses_logins(bad)) << bad;
  for (const auto* good : {"/bin/bash", "/bin/sh", ""}) EXPECT_FALSE(refuses_logins(good)) << good;
}

TEST(KillUserAtOnce, IsNotHeldUpByAProcessThatStopsAllOthersOfItsUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr uid_t kUser = 54322;
  for (int round = 0; round < 100; ++round) {
    const auto stopper = ::fork();
    ASSERT_GE(stopper, 0);
    if (stopper == 0) {
      if (::setresuid(kUser, kUser, kUser) != 0) ::_exit(1);
      for (;;) ::kill(-1, SIGSTOP);
    }
    while (::waitpid(stopper, nullptr, WNOHANG) == 0) kill_user_at_once(kUser);
  }
}

/// Real accounts: under a name of this process's own, removed again.
class AccountAccessTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!has_program("useradd")) GTEST_SKIP() << "needs useradd";
  }
  void TearDown() override {
    if (::geteuid() == 0) std::ignore = run_program({.argv = {"userdel", "-r", "-f", name_}, .environment = {}});
  }

  AccountAccess make(const std::string& instance = "one") {
    return {{.state_dir = scratch_.path(), .instance = instance, .username = name_}, keys_};
  }

  UserAccount account() { return find_user(name_)->value_or(UserAccount{}); }

  /// Runs `script` as the job's user and returns at once.
  void run_as_user(const std::string& script) {
    const auto user = account();
    const Program program{.argv = {"setpriv", fmt::format("--reuid={}", user.uid), fmt::format("--regid={}", user.gid),
                                   "--clear-groups", "/bin/sh", "-c", script},
                          .environment = {"HOME=" + user.home}};
    const auto done = run_or_say_why(program);
    ASSERT_TRUE(done.has_value()) << done.error();
  }

  const std::string name_ = fmt::format("boruta-ut-{}", ::getpid());
  RepeatedKeys keys_{1};
  ScratchDir scratch_;
};

TEST_F(AccountAccessTest, MakesAnAccountThatOnlyTheKeyOpens) {
  auto access = make();
  const auto login = access.prepare();
  ASSERT_TRUE(login.has_value()) << login.error();
  EXPECT_EQ(login->username, name_);
  const auto user = account();
  EXPECT_TRUE(is_user_uid(user.uid));
  EXPECT_EQ(user.comment, "Boruta job account one");
  struct stat info{};
  ASSERT_EQ(::stat(user.home.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  const auto keys_file = user.home + "/.ssh/authorized_keys";
  ASSERT_EQ(::stat(keys_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(info.st_uid, user.uid);
  EXPECT_EQ(read_file(keys_file, 4096), keys_.take().public_line + "\n");
  ASSERT_TRUE(access.grant({"ssh-ed25519 OWNER"}).has_value());
  EXPECT_EQ(read_file(keys_file, 4096), "ssh-ed25519 OWNER\n");
}

/// The system's sshd with the system's keys, on a port of its own, for one account.
class RunningSshd {
 public:
  RunningSshd(const std::filesystem::path& dir, const std::string& user) : port_(find_free_port()) {
    const auto config = dir / "sshd_config";
    std::ofstream(config) << fmt::format(
        "ListenAddress 127.0.0.1\nPort {}\nUsePAM no\nPasswordAuthentication no\nPidFile none\nAllowUsers {}\n", port_,
        user);
    EXPECT_TRUE(make_directories("/run/sshd", 0755).has_value());
    const auto pid = spawn_subreaper({"/usr/sbin/sshd", "-D", "-e", "-f", config}, dir / "sshd.log");
    if (pid) pid_ = *pid;
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (!probe_ssh("127.0.0.1", port_) && std::chrono::steady_clock::now() < give_up) ::usleep(10'000);
  }
  RunningSshd(const RunningSshd&) = delete;
  RunningSshd& operator=(const RunningSshd&) = delete;
  ~RunningSshd() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_;
  pid_t pid_ = -1;
};

TEST_F(AccountAccessTest, TheKeyOfPrepareServesUnlessGrantBringsTheOwners) {
  if (!std::filesystem::exists("/etc/ssh/ssh_host_ed25519_key")) GTEST_SKIP() << "the machine has no SSH host keys";
  const RunningSshd sshd(scratch_.path(), name_);
  auto access = make();
  const auto board = make_board(BoardOptions{});
  Worker worker(access, **board, scratch_.path());
  const auto code = [&](const std::filesystem::path& key) { return ssh(key, name_, sshd.port(), "true").code; };
  const auto prepare = [&](const std::string& file) {
    const auto prepared = worker.run(agent::Prepare{}, {});
    EXPECT_EQ(prepared.error, "");
    EXPECT_TRUE(prepared.private_key.reveal().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    return keep_key(scratch_.path(), file, prepared.private_key.reveal());
  };
  const auto owners = make_access_key();
  const auto owners_key = keep_key(scratch_.path(), "owners", owners.private_pem.reveal());

  const auto first = prepare("first");
  ASSERT_EQ(worker.run(agent::Grant{.job = RequestId{1}, .public_keys = {}}, {}).error, "");
  EXPECT_EQ(code(first), 0) << "no registered keys";
  EXPECT_EQ(code(owners_key), 255);

  const auto second = prepare("second");
  const agent::Grant grant{.job = RequestId{2}, .public_keys = {"ssh-ed25519 AAAAOTHER", owners.public_line + " home"}};
  ASSERT_EQ(worker.run(grant, {}).error, "");
  EXPECT_EQ(code(owners_key), 0);
  EXPECT_EQ(code(second), 255) << "replaced";

  ASSERT_EQ(worker.run(agent::EndJob{}, {}).error, "");
  EXPECT_EQ(code(owners_key), 255) << "the job is over";
  prepare("third");
  EXPECT_EQ(code(owners_key), 255) << "the next job is somebody else's";
}

TEST_F(AccountAccessTest, LeavesNothingOfTheUser) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  const auto user = account();
  const auto left = fmt::format("/tmp/{}", name_);
  run_as_user(fmt::format("mkdir -p {0}/deep && touch {0}/deep/file /dev/shm/{1} && ln -s / {0}/link", left, name_));
  run_as_user(
      "setsid -f sleep 2345 </dev/null >/dev/null 2>&1; trap \"\" TERM HUP; setsid -f sh -c 'sleep 2346; :' "
      "</dev/null >/dev/null 2>&1");
  ASSERT_FALSE(processes_of_user(user.uid).empty());
  const auto ended = access.end_job();
  ASSERT_TRUE(ended.has_value()) << ended.error();
  EXPECT_TRUE(processes_of_user(user.uid).empty());
  EXPECT_FALSE(find_user(name_)->has_value());
  EXPECT_FALSE(std::filesystem::exists(user.home));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_FALSE(std::filesystem::exists("/dev/shm/" + name_));
  EXPECT_TRUE(access.end_job().has_value()) << "repeating it is fine";
}

TEST_F(AccountAccessTest, FinishesWhatIsLeftOfAnAccountThatIsGone) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  const auto user = account();
  const auto left = fmt::format("/tmp/{}", name_);
  run_as_user(fmt::format("touch {}; setsid -f sleep 2348 </dev/null >/dev/null 2>&1", left));
  ASSERT_TRUE(run_or_say_why({.argv = {"userdel", "--force", name_}, .environment = {}}).has_value());
  ASSERT_TRUE(access.end_job().has_value());
  EXPECT_TRUE(processes_of_user(user.uid).empty());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_FALSE(std::filesystem::exists(user.home));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "account"));
}

TEST_F(AccountAccessTest, LeavesTheUidToAnotherAccountThatHasItByNow) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  const auto uid = account().uid;
  ASSERT_TRUE(run_or_say_why({.argv = {"userdel", "--force", "--remove", name_}, .environment = {}}).has_value());
  const auto heir = name_ + "-heir";
  ASSERT_TRUE(run_or_say_why({.argv = {"useradd", "-M", "-u", std::to_string(uid), heir}, .environment = {}}));
  const auto theirs = std::filesystem::path("/tmp") / heir;
  std::ofstream(theirs) << "x";
  ASSERT_EQ(::chown(theirs.c_str(), uid, uid), 0);
  EXPECT_TRUE(access.end_job().has_value());
  EXPECT_TRUE(std::filesystem::exists(theirs));
  std::filesystem::remove(theirs);
  EXPECT_TRUE(run_or_say_why({.argv = {"userdel", heir}, .environment = {}}));
}

TEST_F(AccountAccessTest, GivesTheAccountNoUidsBesideItsOwn) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  for (const auto* file : {"/etc/subuid", "/etc/subgid"}) {
    EXPECT_EQ(read_file(file, 1 << 20).value_or("").find(name_), std::string::npos) << file;
  }
}

TEST_F(AccountAccessTest, PrepareEndsWhatTheLastUserLeft) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  run_as_user("touch ~/left; setsid -f sleep 2347 </dev/null >/dev/null 2>&1");
  const auto running = processes_of_user(account().uid);
  ASSERT_FALSE(running.empty());
  ASSERT_TRUE(access.prepare().has_value());
  EXPECT_EQ(command_line_of(running.front()), "");
  EXPECT_FALSE(std::filesystem::exists(account().home + "/left"));
}

TEST_F(AccountAccessTest, OutrunsAForkBomb) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  run_as_user("prlimit --nproc=60 setsid -f sh -c 'f() { f & sleep 0.01; f; }; f' </dev/null >/dev/null 2>&1");
  const auto uid = account().uid;
  ASSERT_FALSE(processes_of_user(uid).empty());
  const auto ended = access.end_job();
  ASSERT_TRUE(ended.has_value()) << ended.error();
  EXPECT_TRUE(processes_of_user(uid).empty());
}

TEST_F(AccountAccessTest, WritesKeysThroughNoLinkOfTheUser) {
  auto access = make();
  ASSERT_TRUE(access.prepare().has_value());
  const auto victim = scratch_.path() / "victim";
  std::ofstream(victim) << "untouched";
  run_as_user(fmt::format("rm ~/.ssh/authorized_keys; ln -s {} ~/.ssh/authorized_keys", victim.native()));
  ASSERT_TRUE(access.grant({"ssh-ed25519 OWNER"}).has_value());
  EXPECT_EQ(read_file(victim, 100), "untouched");
  run_as_user(fmt::format("rm -r ~/.ssh; ln -s {} ~/.ssh", scratch_.path().native()));
  EXPECT_FALSE(access.grant({"ssh-ed25519 OWNER"}).has_value());
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "authorized_keys"));
}

TEST_F(AccountAccessTest, RefusesAnAccountThatWasThere) {
  ASSERT_TRUE(run_or_say_why({.argv = {"useradd", "-M", name_}, .environment = {}}).has_value());
  auto access = make();
  const auto reason = fmt::format(
      "the account {0} exists and was not made by this dryad; if nobody needs it, remove it (userdel -r "
      "{0}), else choose another user.name",
      name_);
  EXPECT_EQ(access.check().error(), reason);
  EXPECT_EQ(access.start().error(), reason);
  EXPECT_EQ(access.prepare().error(), reason);
  EXPECT_EQ(access.grant({"ssh-rsa A"}).error(), reason);
  EXPECT_EQ(access.end_job().error(), reason);
  EXPECT_TRUE(find_user(name_)->has_value());
}

TEST_F(AccountAccessTest, RefusesTheAccountOfAnotherAgentAndOneWithoutRecord) {
  ASSERT_TRUE(make("one").prepare().has_value());
  EXPECT_FALSE(make("two").check().has_value());
  EXPECT_TRUE(make("one").check().has_value());
  std::filesystem::remove(scratch_.path() / "account");
  EXPECT_FALSE(make("one").end_job().has_value());
}

TEST_F(AccountAccessTest, RefusesAccountsOfTheSystem) {
  for (const auto* name : {"root", "daemon", "nobody"}) {
    AccountAccess access({.state_dir = scratch_.path(), .instance = "one", .username = name}, keys_);
    EXPECT_FALSE(access.check().has_value()) << name;
    EXPECT_FALSE(access.end_job().has_value()) << name;
  }
}

TEST_F(AccountAccessTest, StandsAfterARestart) {
  EXPECT_FALSE(make().start()->standing);
  ASSERT_TRUE(make().prepare().has_value());
  EXPECT_TRUE(make().start()->standing);
}

}  // namespace
}  // namespace boruta::dryad
