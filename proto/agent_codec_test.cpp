#include "proto/agent_codec.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace boruta::proto {
namespace {

using namespace std::chrono_literals;

/// What the other end sees: through the bytes, not through the object.
template <class Wire, class Message>
std::optional<Message> carried(const Message& message) {
  std::string bytes;
  EXPECT_TRUE(encode(message).SerializeToString(&bytes));
  Wire arrived;
  if (!arrived.ParseFromString(bytes)) return std::nullopt;
  return decode(arrived);
}

agent::Register full_register() {
  return {.caps = {{"UUID", "fa4e0000-0000-4000-8000-000000000000"}, {"board", "rpi4"}, {"empty", ""}},
          .ssh_address = "2001:db8::7",
          .ssh_port = 65535,
          .host_keys = {"ssh-ed25519 AAAA", "ssh-rsa BBBB"},
          .instance = "c0ffee",
          .generation = Generation{std::numeric_limits<std::uint64_t>::max()},
          .prepared = true,
          .job = RequestId{42}};
}

bool same(const agent::Done& left, const agent::Done& right) {
  return left.kind == right.kind && left.generation == right.generation && left.error == right.error &&
         left.username == right.username && left.private_key.reveal() == right.private_key.reveal();
}

bool same(const agent::TunnelFailed& left, const agent::TunnelFailed& right) {
  return left.token.reveal() == right.token.reveal() && left.reason == right.reason;
}

template <class T>
bool same(const T& left, const T& right) {
  return left == right;
}

template <class Variant>
bool same_variant(const Variant& left, const Variant& right) {
  if (left.index() != right.index()) return false;
  return std::visit([&](const auto& value) { return same(value, std::get<std::decay_t<decltype(value)>>(right)); },
                    left);
}

TEST(AgentCodec, CarriesEveryMessageOfTheAgent) {
  const std::vector<agent::FromAgent> messages{
      full_register(),
      agent::Register{},
      agent::Heartbeat{},
      agent::SetFail{.reason = "no power: ≥ 5 V expected"},
      agent::SetFail{},
      agent::Warning{.text = "disk 91 % full"},
      agent::Done{.kind = agent::CommandKind::kPrepare,
                  .generation = Generation{7},
                  .error = "",
                  .username = "boruta-user",
                  .private_key = Secret("-----BEGIN RSA PRIVATE KEY-----\n")},
      agent::Done{.kind = agent::CommandKind::kGrant,
                  .generation = Generation{8},
                  .error = "no",
                  .username = {},
                  .private_key = {}},
      agent::Done{
          .kind = agent::CommandKind::kEndJob, .generation = {}, .error = {}, .username = {}, .private_key = {}},
      agent::Done{.kind = agent::CommandKind::kPutInMaintenance,
                  .generation = {},
                  .error = {},
                  .username = {},
                  .private_key = {}},
      agent::Done{
          .kind = agent::CommandKind::kHealthcheck, .generation = {}, .error = {}, .username = {}, .private_key = {}},
      agent::TunnelFailed{.token = Secret("c0ffee"), .reason = "sshd does not answer"},
      agent::ConsoleRead{},
      agent::ConsoleRead{.ticket = 3, .error = "none is kept", .text = "login: \x1b[0m"},
      agent::BoardUsed{},
      agent::BoardUsed{.ticket = 1, .result = {.outcome = agent::BoardOutcome::kDone, .error = {}, .milliamperes = 0}},
      agent::BoardUsed{.ticket = std::numeric_limits<std::uint64_t>::max(),
                       .result = {.outcome = agent::BoardOutcome::kRefused, .error = "no", .milliamperes = -5}},
      agent::BoardUsed{
          .ticket = 2,
          .result = {.outcome = agent::BoardOutcome::kFailed, .error = "no", .milliamperes = std::nullopt}},
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto arrived = carried<v1::FromAgent>(messages[i]);
    ASSERT_TRUE(arrived.has_value()) << i;
    EXPECT_TRUE(same_variant(*arrived, messages[i])) << i;
  }
}

TEST(AgentCodec, CarriesEveryMessageToTheAgent) {
  const auto command = [](auto body) { return agent::Command{.generation = Generation{9}, .body = std::move(body)}; };
  const std::vector<agent::ToAgent> messages{
      agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min},
      agent::Welcome{},
      command(agent::Prepare{.full_healthcheck = true}),
      command(agent::Prepare{}),
      command(agent::Grant{.job = RequestId{3}, .public_keys = {"ssh-ed25519 A a@b", "ssh-rsa B"}, .remaining = 1h}),
      command(agent::EndJob{}),
      command(agent::PutInMaintenance{.message = "SD card broken"}),
      command(agent::Healthcheck{.full = true}),
      agent::JobRemaining{.job = RequestId{3}, .remaining = 1ms},
      agent::Deregistered{},
      agent::OpenTunnel{.job = RequestId{3}, .token = Secret("c0ffee")},
      agent::ReadConsole{.job = RequestId{3}, .ticket = 9},
      agent::UseBoard{.job = RequestId{3}, .ticket = 1, .action = agent::BoardAction::kPowerOn},
      agent::UseBoard{.job = RequestId{3}, .ticket = 2, .action = agent::BoardAction::kPowerOff},
      agent::UseBoard{.job = RequestId{3}, .ticket = 3, .action = agent::BoardAction::kPowerCycle},
      agent::UseBoard{.job = RequestId{3}, .ticket = 4, .action = agent::BoardAction::kSdHost},
      agent::UseBoard{.job = RequestId{3}, .ticket = 5, .action = agent::BoardAction::kSdDut},
      agent::UseBoard{.job = RequestId{3}, .ticket = 6, .action = agent::BoardAction::kCurrent},
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto arrived = carried<v1::ToAgent>(messages[i]);
    ASSERT_TRUE(arrived.has_value()) << i;
    EXPECT_EQ(*arrived, messages[i]) << i;
  }
}

TEST(AgentCodec, DecodesNothingFromAMessageThatItDoesNotKnow) {
  EXPECT_FALSE(decode(v1::FromAgent{}).has_value());
  EXPECT_FALSE(decode(v1::ToAgent{}).has_value());
  v1::ToAgent bare_command;
  bare_command.mutable_command()->set_generation(1);
  EXPECT_FALSE(decode(bare_command).has_value());
  v1::FromAgent port;
  port.mutable_register_()->set_ssh_port(65536);
  EXPECT_FALSE(decode(port).has_value());
  v1::FromAgent done;
  done.mutable_done();
  EXPECT_FALSE(decode(done).has_value());
  v1::FromAgent used;
  used.mutable_board_used();
  EXPECT_FALSE(decode(used).has_value());
  v1::ToAgent use;
  use.mutable_use_board();
  EXPECT_FALSE(decode(use).has_value());
  // A kind of command from a later version: done { kind: 77 }.
  ASSERT_TRUE(done.ParseFromString("\x2A\x02\x08\x4D"));
  EXPECT_FALSE(decode(done).has_value());
}

TEST(AgentCodec, ReplacesWhatIsNotUtf8SoThatTheMessageArrives) {
  const std::vector<std::pair<std::string, std::string>> texts{
      {"\xFF", "\uFFFD"},
      {"a\xC3", "a\uFFFD"},
      {"\xC0\x80", "\uFFFD\uFFFD"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"\xF5\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xE2\x82", "\uFFFD\uFFFD"},
      {"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\xB2", "gr\u00FC\u00DF \u20AC \U0001F432"},
  };
  for (const auto& [raw, expected] : texts) {
    const auto arrived = carried<v1::FromAgent>(agent::FromAgent(agent::SetFail{.reason = raw}));
    ASSERT_TRUE(arrived.has_value()) << raw;
    EXPECT_EQ(std::get<agent::SetFail>(*arrived).reason, expected);
  }
}

TEST(AgentCodec, KeepsDurationsWithinWhatTheClockCanHold) {
  const auto negative =
      carried<v1::ToAgent>(agent::ToAgent(agent::Welcome{.heartbeat_every = -5ms, .lost_grace = 0ms}));
  EXPECT_EQ(std::get<agent::Welcome>(*negative).heartbeat_every, 0ms);
  v1::ToAgent wire;
  wire.mutable_job_remaining()->set_remaining_ms(std::numeric_limits<std::uint64_t>::max());
  const auto remaining = std::get<agent::JobRemaining>(*decode(wire)).remaining;
  EXPECT_EQ(remaining, std::chrono::hours(24) * 36525);
}

}  // namespace
}  // namespace boruta::proto
