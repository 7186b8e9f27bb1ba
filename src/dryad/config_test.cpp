#include "dryad/config.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

constexpr const char* kUuid = "6a3c1a52-8f0e-4c55-9d27-0d4e9a1b7f60";
const std::string kHead = "boruta_address = \"farm:7175\"\n";
const std::string kCaps = "[caps]\nUUID = \"" + std::string(kUuid) + "\"\n";

TEST(DryadConfig, TakesTheKeysOfBoruta021) {
  const auto config = parse_config(
      "listen_address = \":7175\"\nboruta_address = \"farm\"\nssh_address = \"10.1.2.3:2222\"\nsdcard = \"/dev/sdX\"\n"
      "[caps]\nUUID = \"6a3c1a52-8f0e-4c55-9d27-0d4e9a1b7f60\"\nboard = \"rpi4\"\n"
      "[user]\nname = \"tester\"\ngroups = [\"dialout\", \"video\"]\n",
      "d.conf", true);
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->boruta, (HostPort{.host = "farm", .port = std::nullopt}));
  EXPECT_EQ(config->ssh, (HostPort{.host = "10.1.2.3", .port = 2222}));
  EXPECT_EQ(config->caps, (Capabilities{{"UUID", kUuid}, {"board", "rpi4"}}));
  EXPECT_EQ(config->user_name, "tester");
  EXPECT_EQ(config->user_groups, (std::vector<std::string>{"dialout", "video"}));
  EXPECT_EQ(config->access, AccessMode::kAccount);
  EXPECT_EQ(config->warnings,
            (std::vector<std::string>{"listen_address is not used any more", "sdcard is not used any more"}));
}

TEST(DryadConfig, TakesEveryKeyOfItsOwn) {
  const auto config = parse_config(
      "boruta_address = \"[::1]:9000\"\naccess = \"private\"\nstate_dir = \"/s\"\ntoken_file = \"/t\"\nca_file = "
      "\"/c\"\n"
      "log_format = \"json\"\nsshd = \"/opt/sshd\"\n"
      "[caps]\nUUID = \"6a3c1a52-8f0e-4c55-9d27-0d4e9a1b7f60\"\n"
      "[board]\ndriver = \"exec\"\nmaintenance = [\"a\", \"b\"]\nprepare = [\"p\"]\nhealthcheck = [\"h\"]\n"
      "healthcheck_full = [\"f\"]\ntimeout = \"5s\"\n"
      "[timing]\nbackoff_min = \"20ms\"\nbackoff_max = \"1s\"\nkeepalive_every = \"5s\"\nkeepalive_timeout = \"2s\"\n"
      "kill_limit = \"3s\"\n",
      "d.conf", false);
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->boruta, (HostPort{.host = "::1", .port = 9000}));
  EXPECT_EQ(config->access, AccessMode::kPrivate);
  EXPECT_EQ(config->state_dir, "/s");
  EXPECT_EQ(config->token_file, "/t");
  EXPECT_EQ(config->ca_file, "/c");
  EXPECT_EQ(config->log_format, ConfigLogFormat::kJson);
  EXPECT_EQ(config->sshd, "/opt/sshd");
  EXPECT_EQ(config->board.driver, "exec");
  EXPECT_EQ(config->board.maintenance, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config->board.healthcheck_full, (std::vector<std::string>{"f"}));
  EXPECT_EQ(config->board.timeout, 5s);
  EXPECT_EQ(config->backoff_least, 20ms);
  EXPECT_EQ(config->backoff_most, 1s);
  EXPECT_EQ(config->kill_limit, 3s);
}

TEST(DryadConfig, SaysWhatIsWrongAndWhere) {
  struct Case {
    std::string text;
    std::string line;
  };
  const std::vector<Case> cases{
      {kCaps, "d.conf: boruta_address is missing"},
      {kHead, "d.conf: [caps] is missing"},
      {"boruta_address = \":7175\"\n" + kCaps, "d.conf:1: boruta_address: a host and a port are expected"},
      {"boruta_address = \"farm:0\"\n" + kCaps, "d.conf:1: boruta_address: a host and a port are expected"},
      {"boruta_address = \"http://farm\"\n" + kCaps, "d.conf:1: boruta_address = \"http://farm\": \"HOST:PORT\" is"},
      {"boruta_address = 7175\n" + kCaps, "d.conf:1: boruta_address = 7175: a string like"},
      {kHead + "ssh_address = \":0\"\n" + kCaps, "d.conf:2: ssh_address = \":0\": a port from 1 to 65535 is expected"},
      {kHead + "ssh_address = \":70000\"\n" + kCaps, "d.conf:2: ssh_address = \":70000\": \"HOST:PORT\" is expected"},
      {kHead + "[caps]\nboard = \"x\"\n", "d.conf:2: caps = {…}: UUID is missing"},
      {kHead + "[caps]\nUUID = \"6A3C1A52-8F0E-4C55-9D27-0D4E9A1B7F60\"\n",
       "d.conf:2: caps = {…}: UUID = \"6A3C1A52-8F0E-4C55-9D27-0D4E9A1B7F60\": a UUID in lower case is expected"},
      {kHead + "[caps]\nram = 4\n", "d.conf:2: caps = {…}: a string is expected for ram, like ram = \"4\""},
      {kHead + "caps = 3\n", "d.conf:2: caps = 3: a table of strings is expected"},
      {kHead + "\n\nacces = \"private\"\n" + kCaps, "d.conf:4: acces: there is no such key; known are boruta_address"},
      {kHead + "access = \"root\"\n" + kCaps, "d.conf:2: access = \"root\": \"account\" or \"private\" is expected"},
      {kHead + "access = true\n" + kCaps, "d.conf:2: access = true: \"account\" or \"private\" is expected"},
      {kHead + "state_dir = \"here\"\n" + kCaps, "d.conf:2: state_dir = \"here\": a path from / on is expected"},
      {kHead + "log_format = \"xml\"\n" + kCaps, "d.conf:2: log_format = \"xml\": \"text\" or \"json\" is expected"},
      {kHead + "stm_path = \"/run/stm.socket\"\n" + kCaps, "d.conf:2: stm_path = \"/run/stm.socket\": the STM"},
      {kHead + kCaps + "[user]\nname = \"root\"\n", "d.conf:5: user.name = \"root\": the name of an account to make"},
      {kHead + kCaps + "[user]\nname = \"-rf\"\n", "d.conf:5: user.name = \"-rf\": the name of an account to make"},
      {kHead + kCaps + "[user]\ngroups = \"dialout\"\n", "d.conf:5: user.groups = \"dialout\": an array of strings"},
      {kHead + kCaps + "[board]\ndriver = \"relay\"\n",
       "d.conf:5: board.driver = \"relay\": there is no such driver, only: exec, muxpi, none"},
      {kHead + kCaps + "[board]\nprepare = \"relay on\"\n",
       "d.conf:5: board.prepare = \"relay on\": an array with a pro"},
      {kHead + kCaps + "[board]\ntimeout = 5\n", "d.conf:5: board.timeout = 5: a duration like"},
      {kHead + kCaps + "[board]\ntimeout = \"1h\"\n", "d.conf:5: board.timeout = \"1h\": a duration from 100ms to 10m"},
      {kHead + kCaps + "[timing]\nbackoff_min = \"5s\"\nbackoff_max = \"1s\"\n",
       "d.conf:4: timing: backoff_min is long"},
      {kHead + kCaps + "[timing]\nbackof = \"5s\"\n", "d.conf:5: timing.backof: there is no such key; known are"},
      {kHead + "user = \"x\"\n" + kCaps, "d.conf:2: user = \"x\": a table is expected"},
      {kHead + "caps = [\n", "d.conf:2: Error while parsing array"},
  };
  for (const auto& [text, line] : cases) {
    const auto config = parse_config(text, "d.conf", true);
    ASSERT_FALSE(config.has_value()) << text;
    EXPECT_TRUE(config.error().front().starts_with(line)) << config.error().front() << "\nis not: " << line;
  }
}

TEST(DryadConfig, TellsAllThatIsWrongInTheOrderOfTheFile) {
  const auto config = parse_config(kHead + "state_dir = 1\naccess = 2\n" + kCaps, "d.conf", true);
  ASSERT_FALSE(config.has_value());
  ASSERT_EQ(config.error().size(), 2U);
  EXPECT_TRUE(config.error()[0].starts_with("d.conf:2: state_dir"));
  EXPECT_TRUE(config.error()[1].starts_with("d.conf:3: access"));
}

TEST(DryadConfig, AcceptsTheFirstConfigThatItWrites) {
  for (const bool root : {false, true}) {
    const auto config = parse_config(first_config(kUuid, root), "d.conf", root);
    ASSERT_TRUE(config.has_value()) << config.error().front();
    EXPECT_EQ(config->access, root ? AccessMode::kAccount : AccessMode::kPrivate);
    EXPECT_EQ(config->caps.at("UUID"), kUuid);
  }
}

TEST(DryadConfig, AcceptsTheFirstConfigWithEverythingUncommented) {
  std::string text = first_config(kUuid, false);
  // A comment that begins without a blank is a key that can be turned on.
  for (std::size_t at = text.find("\n#"); at != std::string::npos; at = text.find("\n#", at + 1)) {
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  }
  const auto config = parse_config(text, "d.conf", false);
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->board.driver, "exec");
  EXPECT_EQ(config->token_file, "/etc/boruta/dryad.token");
}

TEST(DryadConfig, ListensWhereTunnelsDial) {
  Config config;
  config.boruta.host = "farm";
  EXPECT_EQ(listen_addresses(config), (std::vector<std::string>{"0.0.0.0", "::"}));
  config.boruta.host = "127.0.0.1";
  EXPECT_EQ(listen_addresses(config), (std::vector<std::string>{"127.0.0.1", "::1"}));
  config.ssh.host = "10.0.0.7";
  EXPECT_EQ(listen_addresses(config), (std::vector<std::string>{"10.0.0.7"}));
  config.ssh.host = "worker.example.org";
  EXPECT_EQ(listen_addresses(config), (std::vector<std::string>{"0.0.0.0", "::"}));
}

}  // namespace
}  // namespace boruta::dryad
