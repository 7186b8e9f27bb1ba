#include "base/host_port.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace boruta {
namespace {

TEST(HostPort, IsReadInItsFormsAndNoOther) {
  const std::vector<std::pair<std::string, std::optional<HostPort>>> table{{"farm:8487", HostPort{"farm", 8487}},
                                                                           {"127.0.0.1:0", HostPort{"127.0.0.1", 0}},
                                                                           {":8487", HostPort{"", 8487}},
                                                                           {"farm", HostPort{"farm", std::nullopt}},
                                                                           {"", HostPort{"", std::nullopt}},
                                                                           {"[::1]:65535", HostPort{"::1", 65535}},
                                                                           {"[::1]", HostPort{"::1", std::nullopt}},
                                                                           {"farm:", std::nullopt},
                                                                           {"farm:65536", std::nullopt},
                                                                           {"farm:-1", std::nullopt},
                                                                           {"farm:80x", std::nullopt},
                                                                           {"::1", std::nullopt},
                                                                           {"[::1", std::nullopt},
                                                                           {"[farm]:80", std::nullopt},
                                                                           {"[::1]80", std::nullopt},
                                                                           {"http://farm:80", std::nullopt},
                                                                           {"root@farm:80", std::nullopt},
                                                                           {"a farm", std::nullopt}};
  for (const auto& [text, expected] : table) EXPECT_EQ(parse_host_port(text), expected) << text;
}

TEST(HostPort, IsWrittenWithBracketsRoundIpv6) {
  EXPECT_EQ(format_host_port("farm", 80), "farm:80");
  EXPECT_EQ(format_host_port("::1", 80), "[::1]:80");
}

TEST(HostPort, KnowsLiteralsAndLoopback) {
  for (const auto* literal : {"127.0.0.1", "0.0.0.0", "::", "fe80::1"}) EXPECT_TRUE(is_ip_literal(literal)) << literal;
  for (const auto* name : {"", "localhost", "127.0.0", "1.2.3.256", "[::1]"}) EXPECT_FALSE(is_ip_literal(name)) << name;
  for (const auto* near : {"localhost", "127.0.0.1", "127.9.9.9", "::1"}) EXPECT_TRUE(is_loopback(near)) << near;
  for (const auto* far : {"", "0.0.0.0", "128.0.0.1", "::", "farm"}) EXPECT_FALSE(is_loopback(far)) << far;
}

}  // namespace
}  // namespace boruta
