#include "cli/quoting.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

namespace boruta::cli {
namespace {

/// What `sh -c` makes of a line: its words, each ended by NUL.
std::string output_of_shell(const std::string& script) {
  // The line goes through one more quoting to reach sh -c, by the simplest rule there is.
  std::string quoted = "'";
  for (const char letter : script) {
    if (letter == '\'') {
      quoted += "'\\''";
    } else {
      quoted.push_back(letter);
    }
  }
  quoted += "'";
  FILE* pipe = ::popen(("sh -c " + quoted).c_str(), "r");
  if (pipe == nullptr) return "no shell";
  std::string out;
  for (int letter = std::fgetc(pipe); letter != EOF; letter = std::fgetc(pipe))
    out.push_back(static_cast<char>(letter));
  ::pclose(pipe);
  return out;
}

std::string words_of_shell(const std::string& line) { return output_of_shell("printf '%s\\0' " + line); }

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) {
    out += word;
    out.push_back('\0');
  }
  return out;
}

TEST(Quoting, LeavesPlainWordsAlone) {
  EXPECT_EQ(quote_command(std::vector<std::string>{"./flash.sh", "-v", "img-1.2.bin"}), "./flash.sh -v img-1.2.bin");
}

TEST(Quoting, GivesTheShellTheWordsBack) {
  const std::vector<std::string> words{"",    " ",    "a b",   "'",     "\"",   "$HOME", "`id`", "a\nb",  "*",
                                       "~",   "x=y",  "#c",    "a;b",   "a&&b", "\\",    "!x",   "{a,b}", "-n",
                                       "é漢", "'\"'", "$(id)", "a\\'b", "\t",   "|",     ">f",   "(x)",   "[a-z]"};
  EXPECT_EQ(words_of_shell(quote_command(words)), joined(words));
}

RC_GTEST_PROP(Quoting, GivesTheShellAnyWordsBack, ()) {
  const auto letters = rc::gen::inRange(1, 256);
  const auto word =
      rc::gen::container<std::string>(rc::gen::map(letters, [](int code) { return static_cast<char>(code); }));
  auto words = *rc::gen::container<std::vector<std::string>>(word);
  words.resize(std::min<std::size_t>(words.size(), 20));
  words.emplace_back("end");
  RC_ASSERT(words_of_shell(quote_command(words)) == joined(words));
}

TEST(Quoting, HasTheFarSideRunExactlyTheWords) {
  const std::vector<std::string> words{"printf", "%s\\0", "a  b", "$HOME", "it's", ""};
  EXPECT_EQ(output_of_shell(remote_command(words)), joined({"a  b", "$HOME", "it's", ""}));
}

TEST(Quoting, HasTheFarSideTellASignalByItsNumber) {
  const std::vector<std::string> crash{"sh", "-c", "kill -SEGV $$"};
  EXPECT_EQ(output_of_shell(remote_command(crash) + " 2>/dev/null; printf $?"), "139");
  const std::vector<std::string> interrupted{"sh", "-c", "kill -INT $PPID; kill -INT $$"};
  EXPECT_EQ(output_of_shell(remote_command(interrupted) + "; printf $?"), "130");
}

TEST(Quoting, ShowsCapabilitiesAsOneWouldTypeThem) {
  EXPECT_EQ(describe_caps({}), "anything");
  EXPECT_EQ(describe_caps({{"board", "rpi4"}, {"ram", "4GiB"}}), "board=rpi4 ram=4GiB");
  EXPECT_EQ(describe_caps({{"name", "left desk"}, {"x", ""}}), "'name=left desk' x=");
  EXPECT_EQ(describe_caps({{"a", "\x1b[2J"}}), "'a=\uFFFD[2J'");
}

TEST(Quoting, KeepsSshFromExpandingPaths) {
  EXPECT_EQ(quote_ssh_config("/tmp/boruta-x/key"), "/tmp/boruta-x/key");
  EXPECT_EQ(quote_ssh_config("/tmp/a b%h"), "\"/tmp/a b%%h\"");
}

}  // namespace
}  // namespace boruta::cli
