#include "dryad/setup.hpp"

#include <gtest/gtest.h>

#include "base/ids.hpp"
#include "dryad/config_file.hpp"
#include "dryad/enroll.hpp"
#include "dryad/sshd_check.hpp"

namespace boruta::dryad {
namespace {

constexpr const char* kUuid = "6a3c1a52-8f0e-4c55-9d27-0d4e9a1b7f60";

TEST(EnrolledConfig, IsReadBackAsItWasMeantWhateverIsInIt) {
  const EnrollOptions enroll{.server = {.host = "2001:db8::1", .port = 7000},
                             .caps = {{"name", "it's \"new\" \\ #1"}, {"a b", "ü\n"}},
                             .groups = {"dialout", "plug\"dev"},
                             .access = "private"};
  const Options options{.state_dir = "/srv/state"};
  const auto text = enrolled_config(enroll, options, kUuid, "/etc/boruta/dryad.token");
  const auto config = parse_config(text, "dryad.conf", false);
  ASSERT_TRUE(config.has_value()) << config.error().front() << "\n" << text;
  EXPECT_EQ(config->boruta, enroll.server);
  EXPECT_EQ(config->token_file, "/etc/boruta/dryad.token");
  EXPECT_EQ(config->access, AccessMode::kPrivate);
  EXPECT_EQ(config->state_dir, "/srv/state");
  EXPECT_EQ(config->user_groups, enroll.groups);
  auto caps = enroll.caps;
  caps.emplace(kUuidCap, kUuid);
  EXPECT_EQ(config->caps, caps);
}

TEST(KeysThatNeedARestart, AreAllThatDifferButCaps) {
  const std::string before = "access = \"account\"\nsshd = \"/a\"\n[caps]\nUUID = \"x\"\n[board]\ndriver = \"none\"\n";
  EXPECT_EQ(keys_that_need_a_restart(before, before), std::vector<std::string>{});
  const std::string after =
      "# the same\naccess = 'account'\nlog_format = \"json\"\n[caps]\nUUID = \"y\"\n[board]\ndriver = \"exec\"\n";
  EXPECT_EQ(keys_that_need_a_restart(before, after), (std::vector<std::string>{"board", "log_format", "sshd"}));
}

TEST(SshdSettings, LetTheJobsAccountInByItsKey) {
  const std::string usual = "port 22\npubkeyauthentication yes\nauthorizedkeysfile .ssh/authorized_keys .ssh/more\n";
  const struct {
    std::string settings;
    std::string wrong;
  } cases[] = {
      {usual, ""},
      {"pubkeyauthentication no\nauthorizedkeysfile .ssh/authorized_keys\n", "PubkeyAuthentication"},
      {"pubkeyauthentication yes\nauthorizedkeysfile /etc/keys/%u\n", "/etc/keys/%u"},
      {"pubkeyauthentication yes\nauthorizedkeysfile none\n", "AuthorizedKeysFile"},
      {usual + "allowusers alice\nallowusers bob\n", "AllowUsers"},
      {usual + "allowusers alice\nallowusers boruta-*@10.0.0.*\n", ""},
      {usual + "denyusers boruta-user\n", "DenyUsers"},
      {usual + "allowgroups staff\n", "AllowGroups"},
      {usual + "allowgroups staff\nallowgroups dialout\n", ""},
      {usual + "allowgroups boruta-user\n", ""},
  };
  for (const auto& [settings, wrong] : cases) {
    const auto verdict = judge_sshd_settings(settings, "boruta-user", {"dialout"});
    EXPECT_EQ(verdict.has_value(), wrong.empty()) << settings;
    if (!verdict) {
      EXPECT_NE(verdict.error().find(wrong), std::string::npos) << verdict.error();
    }
  }
}

}  // namespace
}  // namespace boruta::dryad
