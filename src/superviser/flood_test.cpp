#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "superviser/service_fixture.hpp"

namespace boruta::superviser {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr std::size_t kMemory = std::size_t{4} * 1024 * 1024;
/// What HTTP/2 lets a client send before it was given leave to send more.
constexpr std::size_t kUnasked = 65'535;
constexpr std::size_t kStrangers = 400;

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint8_t stream, std::string_view payload) {
  constexpr unsigned kByte = 8;
  std::string text;
  text += static_cast<char>(payload.size() >> (2 * kByte));
  text += static_cast<char>(payload.size() >> kByte);
  text += static_cast<char>(payload.size());
  text += static_cast<char>(type);
  text += static_cast<char>(flags);
  text.append(3, '\0');
  text += static_cast<char>(stream);
  return text.append(payload);
}

/// A header whose name stands in HPACK's table, or at its front.
std::string header(std::string_view name, std::string_view value) {
  std::string text(name);
  text += static_cast<char>(value.size());
  return text.append(value);
}

/// The beginning of a message that never ends, on a call of Session without a token.
std::string endless_message() {
  constexpr std::uint8_t kData = 0;
  constexpr std::uint8_t kHeaders = 1;
  constexpr std::uint8_t kSettings = 4;
  constexpr std::uint8_t kEndOfHeaders = 4;
  constexpr std::size_t kFrame = 16'384;
  auto text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, "");
  text += frame(kHeaders, kEndOfHeaders, 1,
                "\x83\x86" + header("\x04", "/boruta.v1.Superviser/Session") + header("\x01", "boruta") +
                    header("\x0f\x10", "application/grpc") + header(std::string("\0\2te", 4), "trailers"));
  std::string message("\0\0\x0f\xff\xff", 5);
  message.resize(kUnasked, 'x');
  for (std::string_view left = message; !left.empty(); left.remove_prefix(std::min(kFrame, left.size()))) {
    text += frame(kData, 0, 1, left.substr(0, kFrame));
  }
  return text;
}

Options frugal_options() {
  auto options = options_with_any_port();
  options.memory_bytes = kMemory;
  options.hello_within = 1h;
  return options;
}

class FrugalSuperviser : public ServiceTest {
 protected:
  FrugalSuperviser() : ServiceTest(frugal_options()) {}
};

TEST_F(FrugalSuperviser, BreaksWithStrangersWhoseMessagesNeverEnd) {
  const auto flood = endless_message();
  const auto port = static_cast<std::uint16_t>(std::stoi(address_.substr(address_.find(':') + 1)));
  asio::io_context io;
  std::vector<tcp::socket> strangers;
  for (std::size_t i = 0; i < kStrangers; ++i) {
    auto& stranger = strangers.emplace_back(io);
    stranger.connect({asio::ip::address_v4::loopback(), port});
    boost::system::error_code error;
    asio::write(stranger, asio::buffer(flood), error);
    stranger.non_blocking(true);
  }
  const auto closed = [&] {
    std::size_t count = 0;
    for (auto& stranger : strangers) {
      std::array<char, 4096> answer{};
      boost::system::error_code error;
      while (!error) stranger.read_some(asio::buffer(answer), error);
      if (error != asio::error::would_block) ++count;
    }
    return count;
  };
  constexpr std::size_t kThatFit = kMemory / kUnasked;
  EXPECT_TRUE(eventually([&] { return kStrangers - closed() <= 2 * kThatFit; })) << closed() << " were closed";
  strangers.clear();
  EXPECT_TRUE(eventually([&] { return TestAgent(address_).join(); })) << "agents are served again";
}

}  // namespace
}  // namespace boruta::superviser
