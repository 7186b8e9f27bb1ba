#include "dryad/options.hpp"

#include <gtest/gtest.h>

#include <unistd.h>
#include <vector>

#include "dryad/exit_codes.hpp"
#include "dryad/files.hpp"
#include "dryad/scratch_dir.hpp"
#include "dryad/setup.hpp"

namespace boruta::dryad {
namespace {

std::expected<Options, int> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "dryad");
  return parse_options(static_cast<int>(words.size()), words.data());
}

TEST(DryadOptions, BeatTheConfig) {
  const auto options = parse({"--config", "/c", "--token-file", "/t", "--state-dir", "/s", "--boruta", "h:1", "check"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->config, "/c");
  EXPECT_EQ(options->token_file, "/t");
  EXPECT_EQ(options->state_dir, "/s");
  EXPECT_EQ(options->boruta, "h:1");
  EXPECT_TRUE(options->check);
  EXPECT_FALSE(options->simulate.has_value());
}

TEST(DryadOptions, DescribeASimulation) {
  const auto options =
      parse({"--simulate", "5", "--boruta", "h:1", "--uuid-prefix", "deadbeef", "--caps", "board=rpi4,ram=4GiB",
             "--ssh-address", "127.0.0.1:9", "--fault", "prepare=fail", "--fault", "endjob=hang", "--fault", "silent"});
  ASSERT_TRUE(options.has_value());
  const auto& simulate = *options->simulate;
  EXPECT_EQ(simulate.count, 5U);
  EXPECT_EQ(simulate.uuid_prefix, "deadbeef");
  EXPECT_EQ(simulate.caps, (Capabilities{{"board", "rpi4"}, {"ram", "4GiB"}}));
  EXPECT_EQ(simulate.ssh_address, "127.0.0.1:9");
  EXPECT_EQ(simulate.faults.prepare, Fault::kFail);
  EXPECT_EQ(simulate.faults.end_job, Fault::kHang);
  EXPECT_EQ(simulate.faults.maintenance, Fault::kNone);
  EXPECT_TRUE(simulate.faults.silent);
}

TEST(DryadOptions, AreRefusedWhenTheyMakeNoSense) {
  const std::vector<std::vector<const char*>> cases{
      {"--nonsense"},
      {"--simulate", "5"},
      {"--simulate", "0", "--boruta", "h:1"},
      {"--simulate", "x", "--boruta", "h:1"},
      {"--caps", "a=b"},
      {"--boruta", "http://h"},
      {"--boruta", ":7175"},
      {"--simulate", "1", "--boruta", "h:1", "--uuid-prefix", "DEADBEEF"},
      {"--simulate", "1", "--boruta", "h:1", "--caps", "board"},
      {"--simulate", "1", "--boruta", "h:1", "--caps", "UUID=x"},
      {"--simulate", "1", "--boruta", "h:1", "--fault", "prepare"},
      {"--simulate", "1", "--boruta", "h:1", "--fault", "grant=fail"},
      {"--simulate", "1", "--boruta", "h:1", "--ssh-address", "a b"},
  };
  for (const auto& words : cases) {
    testing::internal::CaptureStderr();
    const auto options = parse(words);
    EXPECT_FALSE(testing::internal::GetCapturedStderr().empty());
    ASSERT_FALSE(options.has_value()) << words.back();
    EXPECT_EQ(options.error(), kExitUsage) << words.back();
  }
}

TEST(DryadOptions, HelpNamesEveryExitCode) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(parse({"--help"}).error(), kExitOk);
  const auto help = testing::internal::GetCapturedStdout();
  for (const int code : {kExitOk, kExitFault, kExitDeregistered, kExitUsage, kExitUnfit, kExitConfig}) {
    EXPECT_NE(help.find(" " + std::to_string(code) + "   "), std::string::npos) << code;
  }
}

TEST(ReadToken, TakesTheFirstLineAndWarnsWhenOthersMayReadIt) {
  const ScratchDir scratch;
  const auto file = scratch.path() / "token";
  std::string warning;
  ASSERT_TRUE(write_file_durably(file, "secret\nsecond\n", 0600).has_value());
  EXPECT_EQ(read_token(file, warning)->reveal(), "secret");
  EXPECT_EQ(warning, "");
  ASSERT_TRUE(write_file_durably(file, "secret\n", 0644).has_value());
  EXPECT_EQ(read_token(file, warning)->reveal(), "secret");
  EXPECT_EQ(warning, file.native() + ": others may read the token; chmod 600 it");
  for (const auto* bad : {"", "\nsecret", "two words\n"}) {
    ASSERT_TRUE(write_file_durably(file, bad, 0600).has_value());
    EXPECT_FALSE(read_token(file, warning).has_value()) << bad;
  }
  EXPECT_FALSE(read_token(scratch.path() / "none", warning).has_value());
  EXPECT_TRUE(read_token("", warning)->empty());
}

}  // namespace
}  // namespace boruta::dryad
