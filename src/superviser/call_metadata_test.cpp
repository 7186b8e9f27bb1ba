#include "superviser/call_metadata.hpp"

#include <gtest/gtest.h>

namespace boruta::superviser {
namespace {

TEST(PeerAddress, IsAPlainIpLiteral) {
  struct Case {
    std::string_view peer;
    std::string_view address;
  };
  for (const auto& [peer, address] : {
           Case{"ipv4:127.0.0.1:1234", "127.0.0.1"},
           Case{"ipv6:%5B::1%5D:1234", "::1"},
           Case{"ipv6:[2001:db8::1]:1234", "2001:db8::1"},
           Case{"ipv6:%5B::ffff:192.0.2.7%5D:1", "192.0.2.7"},
           Case{"ipv6:%5Bfe80::1%25lo%5D:1", "fe80::1%lo"},
           Case{"unix:/run/boruta.sock", ""},
           Case{"unix:", ""},
           Case{"ipv4:", ""},
           Case{"ipv4:999.0.0.1:1", ""},
           Case{"ipv6:%5", ""},
           Case{"ipv6:%5:%:1", ""},
           Case{"", ""},
       }) {
    EXPECT_EQ(peer_address(peer), address) << peer;
  }
}

}  // namespace
}  // namespace boruta::superviser
