#include "cli/app.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace boruta::cli {
namespace {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<std::string>& words) {
  // No server is ever asked here: port 1 answers nobody.
  ::setenv("BORUTA_URL", "http://127.0.0.1:1", 1);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_cli(words);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

struct Bad {
  std::vector<std::string> words;
  const char* said;
};

TEST(App, SaysWhatIsWrongWithTheCommandLine) {
  const Bad table[] = {
      {{"wrokers"}, "did you mean workers?"},
      {{"workers", "shwo", "x"}, "did you mean show?"},
      {{"run", "--privority", "3"}, "did you mean --priority?"},
      {{"run", "./board"}, "\"./board\" is no capability to ask for"},
      {{"run", "a=b", "--priority", "17"}, "--priority"},
      {{"run", "a=b", "--lease", "2x"}, "--lease \"2x\""},
      {{"run", "a=b", "--put", "/nonexistent"}, "/nonexistent"},
      {{"show"}, "ID"},
      {{"show", "x"}, "\"x\" is not the number of a request"},
      {{"close"}, "--mine"},
      {{"power", "1", "up"}, "TO"},
      {{"power", "x", "on"}, "\"x\" is not the number of a request"},
      {{"sd", "1"}, "TO"},
      {{"current"}, "ID"},
      {{"logs", "x"}, "\"x\" is not the number of a request"},
      {{"console"}, "ID"},
      {{"history"}, "ID|WORKER"},
      {{"usage", "--since", "yesterday"}, "--since \"yesterday\""},
      {{"usage", "--by", "board"}, "--by"},
      {{"close", "1", "--mine"}, "--mine"},
      {{"update", "1"}, "nothing to change"},
      {{"workers", "--", "true"}, "takes no command"},
      {{"users", "groups", "alice"}, "--none"},
      {{"tokens", "revoke", "s3cret"}, "the number of a token is needed"},
      {{"completion", "tcsh"}, "tcsh"},
      {{"help", "nothing"}, "nothing"},
      {{"login", "http://tok@farm"}, "does not belong"},
  };
  for (const auto& [words, said] : table) {
    const auto outcome = run(words);
    EXPECT_EQ(outcome.code, 64) << said << "\n" << outcome.err;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << said << "\n" << outcome.err;
    EXPECT_TRUE(outcome.out.empty()) << outcome.out;
    EXPECT_EQ(outcome.err.find("s3cret"), std::string::npos);
  }
}

TEST(App, SaysThatTheServerCannotBeReached) {
  const auto outcome = run({"workers"});
  EXPECT_EQ(outcome.code, 75);
  EXPECT_NE(outcome.err.find("cannot reach http://127.0.0.1:1: Connection refused"), std::string::npos) << outcome.err;
}

TEST(App, HelpsWithEveryCommandAndGivesAnExample) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"run"},
                                                                                     {"ssh"},
                                                                                     {"ssh-config"},
                                                                                     {"request"},
                                                                                     {"requests"},
                                                                                     {"show"},
                                                                                     {"close"},
                                                                                     {"prolong"},
                                                                                     {"update"},
                                                                                     {"history"},
                                                                                     {"watch"},
                                                                                     {"usage"},
                                                                                     {"workers"},
                                                                                     {"workers", "enable"},
                                                                                     {"workers", "disable"},
                                                                                     {"workers", "groups"},
                                                                                     {"login"},
                                                                                     {"logout"},
                                                                                     {"whoami"},
                                                                                     {"version"},
                                                                                     {"users", "add"},
                                                                                     {"tokens", "add-worker"},
                                                                                     {"completion"},
                                                                                     {"help"}}) {
    auto with_help = words;
    with_help.emplace_back("--help");
    const auto outcome = run(with_help);
    EXPECT_EQ(outcome.code, 0) << words.back();
    EXPECT_NE(outcome.out.find("Example:\n  "), std::string::npos) << words.back();
  }
}

TEST(App, ExplainsExitCodes) {
  const auto outcome = run({"help", "exit-codes"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find("121"), std::string::npos);
}

TEST(App, CompletesCommandsOfEveryLevelInEveryShell) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto outcome = run({"completion", shell});
    EXPECT_EQ(outcome.code, 0);
    for (const auto* word : {"workers", "enable", "drain", "wait-for-worker", "history", "watch", "since"}) {
      EXPECT_NE(outcome.out.find(word), std::string::npos) << shell << ": " << word;
    }
  }
}

}  // namespace
}  // namespace boruta::cli
