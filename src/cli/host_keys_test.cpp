#include "cli/host_keys.hpp"

#include <gtest/gtest.h>

namespace boruta::cli {
namespace {

constexpr const char* kEd25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMr34npcQP+UHMqJRzBaX6VMpP0snAUH5DVU5WLvnsBY";
constexpr const char* kEcdsa =
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFjOedgX8sw6IdyiwGlrM8blS/eiNz/OetDkjS5RM8zMUnBT2JP7k64eA7CV"
    "DWpuaTzGpzrVreCD/lqOBdWWxBg=";

TEST(HostKeys, AreShownAsSshKeygenShowsThem) {
  EXPECT_EQ(fingerprint_of_host_key(kEd25519), "ED25519 SHA256:FfewkH4kjrYtx/ztGyZQI5er8kChnUL+EpeJkgbZtVo");
  EXPECT_EQ(fingerprint_of_host_key(std::string("[10.0.0.1]:30000 ") + kEcdsa + " root@vm"),
            "ECDSA SHA256:+n+NpWKsAhIZBlenme4GqK/np4SWbjpTKGjZ/8PvpvM");
  for (const auto* wrong : {"", "# 10.0.0.1:22 SSH-2.0-OpenSSH_9.2", "ssh-ed25519", "ssh-ed25519 !!!!", "host AAAA"}) {
    EXPECT_FALSE(fingerprint_of_host_key(wrong).has_value()) << wrong;
  }
}

TEST(HostKeys, AreExplainedWhenNoneIsAsExpected) {
  const auto words = explain_host_keys("rpi4-01", {kEd25519}, std::string("# banner\n127.0.0.1 ") + kEcdsa + "\n");
  ASSERT_TRUE(words.has_value());
  EXPECT_TRUE(words->starts_with("rpi4-01 showed another SSH host key than its agent registered")) << *words;
  EXPECT_NE(words->find("expected  ED25519 SHA256:Ffewk"), std::string::npos) << *words;
  EXPECT_NE(words->find("came      ECDSA SHA256:+n+Np"), std::string::npos) << *words;
}

TEST(HostKeys, AreNotBlamedForOtherFailures) {
  EXPECT_FALSE(explain_host_keys("w", {kEd25519}, "").has_value()) << "nothing answered";
  EXPECT_FALSE(explain_host_keys("w", {kEd25519}, std::string("h ") + kEcdsa + "\nh " + kEd25519).has_value());
  EXPECT_FALSE(explain_host_keys("w", {}, std::string("h ") + kEcdsa).has_value());
}

}  // namespace
}  // namespace boruta::cli
