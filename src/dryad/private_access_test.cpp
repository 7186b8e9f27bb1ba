#include "dryad/private_access.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <unistd.h>

#include "dryad/scratch_dir.hpp"
#include "dryad/ssh_for_tests.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

/// A real sshd below a directory of its own.
class PrivateAccessTest : public testing::Test {
 protected:
  void SetUp() override {
    access_.emplace(options(), keys_);
    if (const auto fit = access_->check(); !fit) GTEST_SKIP() << fit.error();
    const auto endpoint = access_->start();
    ASSERT_TRUE(endpoint.has_value()) << endpoint.error();
    endpoint_ = *endpoint;
  }
  void TearDown() override {
    if (endpoint_.ssh_port != 0) access_->stop(false);
  }

  PrivateAccessOptions options() { return {.state_dir = scratch_.path() / "state"}; }

  Login prepare() {
    auto login = access_->prepare();
    EXPECT_TRUE(login.has_value()) << login.error();
    return login ? *std::move(login) : Login{};
  }

  RepeatedKeys keys_{1};
  ScratchDir scratch_;
  std::optional<PrivateAccess> access_;
  Endpoint endpoint_;
};

TEST_F(PrivateAccessTest, LetsInWhoHasTheKeyOfPrepareUntilTheJobEnds) {
  EXPECT_FALSE(endpoint_.standing);
  const auto login = prepare();
  const auto key = keep_key(scratch_.path(), "key", login.private_key.reveal());
  const auto job_dir = (scratch_.path() / "state/job").native();
  const auto inside = ssh(key, login.username, endpoint_.ssh_port, "pwd; echo $HOME; echo $TMPDIR; touch left");
  EXPECT_EQ(inside.out, job_dir + "\n" + job_dir + "\n" + job_dir + "/tmp\n");
  EXPECT_EQ(inside.code, 0);
  EXPECT_TRUE(std::filesystem::exists(job_dir + "/left"));
  ASSERT_TRUE(access_->end_job().has_value());
  EXPECT_FALSE(std::filesystem::exists(job_dir));
  EXPECT_EQ(ssh(key, login.username, endpoint_.ssh_port, "true").code, 255);
  EXPECT_TRUE(access_->end_job().has_value()) << "repeating it is fine";
}

TEST_F(PrivateAccessTest, KillsDaemonsThatTheUserLeft) {
  const auto login = prepare();
  const auto key = keep_key(scratch_.path(), "key", login.private_key.reveal());
  // One keeps its environment, the other throws it away: they are found by mark and by descent.
  ASSERT_EQ(ssh(key, login.username, endpoint_.ssh_port,
                "setsid -f sleep 1234 </dev/null >/dev/null 2>&1; echo $$ > pid; "
                "env -i setsid -f /bin/sh -c \"echo \\$\\$ > $HOME/bare; exec sleep 1235\" </dev/null >/dev/null 2>&1; "
                "until test -s bare; do sleep 0.05; done; cat bare; pgrep -n -x -f \"sleep 1234\"")
                .code,
            0);
  pid_t bare = 0;
  std::ifstream(scratch_.path() / "state/job/bare") >> bare;
  ASSERT_EQ(command_line_of(bare), "sleep 1235");
  ASSERT_TRUE(access_->end_job().has_value());
  EXPECT_EQ(command_line_of(bare), "");
}

TEST_F(PrivateAccessTest, SparesProcessesThatAreNotTheUsers) {
  const pid_t bystander = ::fork();
  if (bystander == 0) {
    ::execl("/bin/sleep", "sleep", "300", nullptr);
    ::_exit(1);
  }
  (void)prepare();
  ASSERT_TRUE(access_->end_job().has_value());
  EXPECT_EQ(::waitpid(bystander, nullptr, WNOHANG), 0);
  ::kill(bystander, SIGKILL);
  ::waitpid(bystander, nullptr, 0);
}

TEST_F(PrivateAccessTest, GrantReplacesTheKeyOfPrepare) {
  const auto login = prepare();
  const auto key = keep_key(scratch_.path(), "key", login.private_key.reveal());
  const auto owners = make_access_key();
  const auto owners_key = keep_key(scratch_.path(), "owners", owners.private_pem.reveal());
  ASSERT_TRUE(access_->grant({}).has_value());
  EXPECT_EQ(ssh(key, login.username, endpoint_.ssh_port, "true").code, 0) << "no registered keys: the first stays";
  ASSERT_TRUE(access_->grant({owners.public_line + " owner@home"}).has_value());
  EXPECT_EQ(ssh(owners_key, login.username, endpoint_.ssh_port, "true").code, 0);
  EXPECT_EQ(ssh(key, login.username, endpoint_.ssh_port, "true").code, 255);
}

TEST_F(PrivateAccessTest, TakesUpItsRunningSshdAfterARestart) {
  const auto login = prepare();
  const auto key = keep_key(scratch_.path(), "key", login.private_key.reveal());
  const auto pid = read_file(scratch_.path() / "state/sshd/sshd.pid", 100);
  access_->stop(true);
  access_.emplace(options(), keys_);
  const auto again = access_->start();
  ASSERT_TRUE(again.has_value()) << again.error();
  EXPECT_TRUE(again->standing);
  EXPECT_EQ(again->ssh_port, endpoint_.ssh_port);
  EXPECT_EQ(again->host_keys, endpoint_.host_keys);
  EXPECT_EQ(read_file(scratch_.path() / "state/sshd/sshd.pid", 100), pid);
  EXPECT_EQ(ssh(key, login.username, endpoint_.ssh_port, "true").code, 0);
}

TEST_F(PrivateAccessTest, StartsItsSshdAgainOnTheSamePortWhenItDied) {
  const auto login = prepare();
  const auto key = keep_key(scratch_.path(), "key", login.private_key.reveal());
  const pid_t pid = std::stoi(*read_file(scratch_.path() / "state/sshd/sshd.pid", 100));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  EXPECT_FALSE(access_->probe().has_value());
  access_.emplace(options(), keys_);
  const auto again = access_->start();
  ASSERT_TRUE(again.has_value()) << again.error();
  EXPECT_EQ(again->ssh_port, endpoint_.ssh_port);
  EXPECT_EQ(ssh(key, login.username, endpoint_.ssh_port, "true").code, 0);
}

TEST_F(PrivateAccessTest, StopsItsSshdWithoutAJob) {
  access_->stop(false);
  EXPECT_FALSE(access_->probe().has_value());
}

TEST_F(PrivateAccessTest, TellsItsHostKey) {
  ASSERT_EQ(endpoint_.host_keys.size(), 1U);
  EXPECT_TRUE(endpoint_.host_keys.front().starts_with("ssh-ed25519 AAAA")) << endpoint_.host_keys.front();
  EXPECT_TRUE(access_->probe().has_value());
}

TEST(PrivateAccessCheck, RefusesAStateDirThatSshdWouldMisread) {
  RepeatedKeys keys(1);
  EXPECT_FALSE(PrivateAccess({.state_dir = "/tmp/with blank"}, keys).check().has_value());
  EXPECT_FALSE(PrivateAccess({.state_dir = "/tmp/x", .sshd = "/no/sshd"}, keys).check().has_value());
}

TEST(ProbeSsh, TellsWhatIsWrong) {
  EXPECT_EQ(probe_ssh("127.0.0.1", 1).error(), "sshd does not answer at 127.0.0.1 port 1: Connection refused");
  EXPECT_EQ(probe_ssh("host", 1).error(), "\"host\" is not an IP address");
}

}  // namespace
}  // namespace boruta::dryad
