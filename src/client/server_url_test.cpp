#include "client/server_url.hpp"

#include <gtest/gtest.h>

namespace boruta::client {
namespace {

struct Good {
  const char* text;
  ServerUrl url;
};

TEST(ServerUrl, ReadsSchemeHostPortAndPrefix) {
  const Good table[] = {
      {"http://farm.example", {false, "farm.example", 8487, ""}},
      {"farm.example", {false, "farm.example", 8487, ""}},
      {"farm.example:99", {false, "farm.example", 99, ""}},
      {"https://farm.example", {true, "farm.example", 443, ""}},
      {"https://farm.example:8443/boruta/", {true, "farm.example", 8443, "/boruta"}},
      {"http://10.0.0.1:80", {false, "10.0.0.1", 80, ""}},
      {"http://[2001:db8::1]:8487", {false, "2001:db8::1", 8487, ""}},
      {"https://[::1]", {true, "::1", 443, ""}},
      {"http://farm/a/b/api/v1/", {false, "farm", 8487, "/a/b"}},
      {"http://farm/api/v1", {false, "farm", 8487, ""}},
  };
  for (const auto& [text, url] : table) {
    const auto parsed = parse_server_url(text);
    ASSERT_TRUE(parsed.has_value()) << text << ": " << parsed.error();
    EXPECT_EQ(*parsed, url) << text;
    EXPECT_EQ(parse_server_url(format_url(*parsed)), parsed) << text;
  }
}

TEST(ServerUrl, RefusesWhatNamesNoServer) {
  for (const auto* text : {"", "http://", "ftp://farm", "http://farm:0", "http://farm:99999", "http://farm:x",
                           "http://farm:", "http://[zz]", "http://[::1]x", "http://farm?x=1", "http://farm/#top",
                           "http://a b", "http://[::1"}) {
    EXPECT_FALSE(parse_server_url(text).has_value()) << text;
  }
}

TEST(ServerUrl, RefusesSecretsWithoutRepeatingThem) {
  for (const auto* text : {"http://s3cret@farm", "https://user:s3cret@farm/x", "http://farm?token=s3cret"}) {
    const auto parsed = parse_server_url(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().find("s3cret"), std::string::npos) << parsed.error();
  }
}

TEST(ServerUrl, BracketsIpv6InTheHostHeader) {
  EXPECT_EQ(host_header({false, "::1", 8487, ""}), "[::1]:8487");
  EXPECT_EQ(host_header({true, "farm", 443, ""}), "farm");
  EXPECT_EQ(host_header({false, "farm", 8487, ""}), "farm:8487");
}

TEST(ServerUrl, EncodesASegmentOfAPath) {
  EXPECT_EQ(encode_segment("a-b_1.~"), "a-b_1.~");
  EXPECT_EQ(encode_segment("a/b ?#%é"), "a%2Fb%20%3F%23%25%C3%A9");
}

}  // namespace
}  // namespace boruta::client
