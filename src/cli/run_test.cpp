#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/stat.h>

#include "cli/copying.hpp"
#include "cli/exit_codes.hpp"
#include "cli/process.hpp"
#include "cli/run_outcome.hpp"
#include "cli/ssh_files.hpp"

namespace boruta::cli {
namespace {

namespace fs = std::filesystem;
using client::RequestInfo;
using client::RequestState;

RunFacts facts(ChildEnd end, std::optional<RequestState> state = {}, bool interrupted = false, bool over_ssh = true) {
  return {.command = end, .over_ssh = over_ssh, .interrupted = interrupted, .state = state, .reason = "why"};
}

struct Row {
  const char* what;
  RunFacts facts;
  int code;
};

TEST(RunOutcome, IsTheCommandsCodeUnlessTheJobEndedUnderIt) {
  const auto running = RequestState::kInProgress;
  const Row table[] = {
      {"success", facts({false, 0}), 0},
      {"success, whatever came after", facts({false, 0}, RequestState::kDone), 0},
      {"the command's own code", facts({false, 3}, running), 3},
      {"the server does not answer", facts({false, 3}), 3},
      {"a remote shell killed with its job", facts({false, 137}, RequestState::kDone), 121},
      {"ssh cut off by a worker that failed", facts({false, 255}, RequestState::kFailed), 120},
      {"ssh cut off when the job ended", facts({false, 255}, RequestState::kDone), 121},
      {"ssh failed by itself", facts({false, 255}, running), 122},
      {"ssh failed, and the server does not answer", facts({false, 255}), 122},
      {"ssh ended by Ctrl-C", facts({false, 255}, running, true), 130},
      {"ssh killed by Ctrl-C", facts({true, SIGINT}, running, true), 130},
      {"ssh killed by another", facts({true, SIGTERM}, running), 143},
      {"a command that handled Ctrl-C", facts({false, 5}, running, true), 5},
      {"a local command's 255 is its own", facts({false, 255}, running, false, false), 255},
      {"a local command whose job was lost", facts({true, SIGTERM}, RequestState::kFailed, false, false), 120},
  };
  for (const auto& row : table) EXPECT_EQ(judge_command(row.facts).code, row.code) << row.what;
}

TEST(RunOutcome, SaysWhyTheJobEnded) {
  EXPECT_EQ(judge_command(facts({false, 255}, RequestState::kFailed)).message,
            "the worker failed while the command ran: why");
  EXPECT_EQ(judge_command(facts({false, 3}, RequestState::kInProgress)).message, "");
}

TEST(RunOutcome, OfWaitingFollowsTheState) {
  const std::pair<RequestState, int> table[] = {{RequestState::kCancelled, 123},
                                                {RequestState::kTimeout, 123},
                                                {RequestState::kInvalid, 123},
                                                {RequestState::kFailed, 120},
                                                {RequestState::kDone, 121}};
  RequestInfo request;
  for (const auto& [state, code] : table) {
    request.state = state;
    ASSERT_TRUE(judge_wait(request).has_value());
    EXPECT_EQ(judge_wait(request)->code, code);
  }
  for (const auto state : {RequestState::kWaiting, RequestState::kInProgress, RequestState::kUnknown}) {
    request.state = state;
    EXPECT_FALSE(judge_wait(request).has_value());
  }
}

TEST(ExitCodes, TellRefusalsApart) {
  using client::ErrorKind;
  const std::pair<client::ApiError, ExitCode> table[] = {
      {{ErrorKind::kUnreachable, 0, ""}, ExitCode::kUnreachable},
      {{ErrorKind::kTls, 0, ""}, ExitCode::kNotAllowed},
      {{ErrorKind::kProtocol, 500, ""}, ExitCode::kInternal},
      {{ErrorKind::kRefused, 400, ""}, ExitCode::kRefused},
      {{ErrorKind::kRefused, 401, ""}, ExitCode::kNotAllowed},
      {{ErrorKind::kRefused, 403, ""}, ExitCode::kNotAllowed},
      {{ErrorKind::kRefused, 404, ""}, ExitCode::kRefused},
      {{ErrorKind::kRefused, 429, ""}, ExitCode::kUnreachable},
      {{ErrorKind::kRefused, 503, ""}, ExitCode::kUnreachable},
  };
  for (const auto& [error, code] : table) EXPECT_EQ(exit_code_of(error), code) << error.status;
}

TEST(ExitCodes, AreAllExplained) {
  const auto help = exit_code_help();
  for (const auto code : {ExitCode::kOk, ExitCode::kUsage, ExitCode::kRefused, ExitCode::kNothingFits,
                          ExitCode::kInternal, ExitCode::kUnreachable, ExitCode::kNotAllowed, ExitCode::kWorkerFailed,
                          ExitCode::kLeaseLost, ExitCode::kSshFailed, ExitCode::kNotStarted, ExitCode::kInterrupted}) {
    EXPECT_NE(help.find(" " + std::to_string(to_int(code)) + "  "), std::string::npos) << to_int(code);
  }
}

client::AccessInfo access() {
  client::AccessInfo info;
  info.ip = "10.0.0.7";
  info.port = 30001;
  info.username = "boruta-user";
  info.key = Secret("-----BEGIN KEY-----\nx\n-----END KEY-----");
  info.host_keys = {"ssh-ed25519 AAAA", "bad\nline ssh-rsa BBBB", "@cert-authority x", "ecdsa-sha2-nistp256 CCCC c"};
  return info;
}

std::string content(const fs::path& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

unsigned mode_of(const fs::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

TEST(SshFiles, AreForTheirOwnerAloneAndGoAway) {
  fs::path folder;
  {
    const auto files = SshFiles::make_temporary(access(), "rpi4-03", "farm");
    ASSERT_TRUE(files.has_value()) << files.error();
    folder = files->config_path().parent_path();
    EXPECT_EQ(mode_of(folder), 0700U);
    for (const auto* name : {"key", "known_hosts", "config"}) EXPECT_EQ(mode_of(folder / name), 0600U) << name;
    EXPECT_EQ(content(folder / "key"), "-----BEGIN KEY-----\nx\n-----END KEY-----\n");
    EXPECT_EQ(content(folder / "known_hosts"), "rpi4-03 ssh-ed25519 AAAA\nrpi4-03 ecdsa-sha2-nistp256 CCCC c\n");
    EXPECT_EQ(content(folder / "config"), files->config_text());
  }
  EXPECT_FALSE(fs::exists(folder));
}

TEST(SshFiles, TrustNothingButTheServersHostKeys) {
  const auto config = render_ssh_config(
      {.alias = "rpi4-03", .host = "fe80::1%eth0", .port = 30001, .user = "u", .folder = "/tmp/x y", .has_key = true});
  for (const auto* line : {"Host rpi4-03\n", "  HostName fe80::1%%eth0\n", "  Port 30001\n", "  User u\n",
                           "  IdentityFile \"/tmp/x y/key\"\n", "  IdentitiesOnly yes\n", "  HostKeyAlias rpi4-03\n",
                           "  UserKnownHostsFile \"/tmp/x y/known_hosts\"\n", "  GlobalKnownHostsFile /dev/null\n",
                           "  StrictHostKeyChecking yes\n", "  BatchMode yes\n"}) {
    EXPECT_NE(config.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(render_ssh_config({.alias = "a", .host = "h", .port = 1, .user = "u", .folder = "/t", .has_key = false})
                .find("Identit"),
            std::string::npos);
}

TEST(SshFiles, AreNotMadeWithoutHostKeys) {
  auto info = access();
  info.host_keys.clear();
  EXPECT_FALSE(SshFiles::make_temporary(info, "a", "farm").has_value());
}

TEST(SshFiles, NameTheServerWhereTheAddressIsAWildcard) {
  auto info = access();
  EXPECT_EQ(access_host(info, "farm"), "10.0.0.7");
  info.zone = "eth0";
  info.ip = "fe80::1";
  EXPECT_EQ(access_host(info, "farm"), "fe80::1%eth0");
  for (const auto* ip : {"::", "0.0.0.0"}) {
    info.ip = ip;
    EXPECT_EQ(access_host(info, "farm"), "farm");
  }
}

TEST(SshFiles, TakeAnAliasThatNoToolMisreads) {
  EXPECT_EQ(ssh_alias("rpi4-03"), "rpi4-03");
  EXPECT_EQ(ssh_alias("desk~0001"), "desk-0001");
  EXPECT_EQ(ssh_alias("left desk:1*%h"), "left-desk-1--h");
  EXPECT_EQ(ssh_alias("-oProxyCommand=x"), "worker-oProxyCommand-x");
  EXPECT_EQ(ssh_alias(""), "worker");
}

TEST(Copying, TakesNoPathForAHostOrAnOption) {
  EXPECT_EQ(local_operand("a:b"), "./a:b");
  EXPECT_EQ(local_operand("-r"), "./-r");
  EXPECT_EQ(local_operand("/x"), "/x");
  EXPECT_EQ(local_operand("dir/"), "./dir/");
  EXPECT_EQ(local_operand("."), fs::current_path().native());
}

TEST(Copying, SaysWhatCannotBeCopied) {
  EXPECT_FALSE(check_put("/").has_value());
  EXPECT_EQ(check_put("/nonexistent"), "--put /nonexistent: No such file or directory");
  EXPECT_NE(check_put("board=rpi4")->find("KEY=VALUE goes before --put"), std::string::npos);
}

ChildEnd run_program(Program program) {
  asio::io_context io;
  auto child = Child::start(io.get_executor(), std::move(program));
  EXPECT_TRUE(child.has_value()) << child.error();
  auto end = asio::co_spawn(io, child->wait(), asio::use_future);
  io.run();
  return end.get();
}

TEST(Process, GivesExitCodesAndSignals) {
  EXPECT_EQ(run_program({.words = {"sh", "-c", "exit 7"}, .environment = {}}), (ChildEnd{false, 7}));
  EXPECT_EQ(run_program({.words = {"sh", "-c", "kill -TERM $$"}, .environment = {}}), (ChildEnd{true, SIGTERM}));
}

TEST(Process, PassesWordsAndEnvironmentAsTheyAre) {
  const std::string script =
      R"([ "$1" = "a  b" ] && [ "$2" = '$HOME' ] && [ "$BORUTA_TEST" = "x=y z" ] && [ -n "$PATH" ])";
  const Program program{.words = {"sh", "-c", script, "sh", "a  b", "$HOME"},
                        .environment = {{"BORUTA_TEST", "x=y z"}}};
  EXPECT_EQ(run_program(program), (ChildEnd{false, 0}));
}

TEST(Process, SaysThatAProgramIsNotThere) {
  asio::io_context io;
  const Program program{.words = {"no-such-program-here"}, .environment = {}};
  const auto child = Child::start(io.get_executor(), program);
  ASSERT_FALSE(child.has_value());
  EXPECT_EQ(child.error(), "no-such-program-here: No such file or directory");
}

}  // namespace
}  // namespace boruta::cli
