#include "server/event_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "farm/farm_fixture.hpp"

namespace boruta::server {
namespace {

using namespace std::chrono_literals;
using farm::FarmFixture;
using runtime::LogLevel;

std::string_view word_for(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

std::string line_of(const farm::Event& event, const farm::Farm& farm) {
  std::string line(word_for(log_level_of(event.body)));
  line.append(" ").append(farm::kind_of(event.body));
  for (const auto& [key, value] : log_fields_of(event, farm)) line.append(" ").append(key).append("=").append(value);
  return line;
}

/// The line of the last event of that kind.
std::string last_line(const FarmFixture& fixture, std::string_view kind) {
  const auto& events = fixture.events();
  const auto found = std::find_if(events.rbegin(), events.rend(),
                                  [&](const farm::Event& event) { return farm::kind_of(event.body) == kind; });
  return found == events.rend() ? "none" : line_of(*found, fixture.farm());
}

TEST(EventLog, TellsTheLifeOfARequest) {
  FarmFixture fixture;
  fixture.make_idle("w", {{"name", "w"}});
  const auto worker = "worker=" + fixture.uuid("w").to_string() + " name=w";
  const auto id = fixture.create("alice");
  fixture.grant_ok("w");
  fixture.acquire("alice", id);
  fixture.close("alice", id);
  EXPECT_EQ(last_line(fixture, "request created"), "debug request created request=1 user=alice priority=8 actor=alice");
  EXPECT_EQ(last_line(fixture, "job started"),
            "info job started request=1 " + worker + " user=alice tunnel_port=30000 actor=server");
  EXPECT_EQ(last_line(fixture, "job acquired"), "info job acquired request=1 actor=alice");
  EXPECT_EQ(last_line(fixture, "request ended"),
            "info request ended request=1 state=DONE reason=closed by alice actor=alice");
  EXPECT_EQ(last_line(fixture, "worker state changed"),
            "info worker state changed " + worker + " state=PREPARE actor=alice");
}

TEST(EventLog, WarnsOfWorkersThatFail) {
  FarmFixture fixture;
  fixture.make_idle("w", {{"name", "w"}});
  fixture.set_fail("w", "the board is dead");
  EXPECT_EQ(last_line(fixture, "worker state changed"),
            "warning worker state changed worker=" + fixture.uuid("w").to_string() +
                " name=w state=FAILED reason=the board is dead actor=w");
}

TEST(EventLog, TellsOfUsersAndTheirTokens) {
  FarmFixture fixture;
  fixture.act("root",
              farm::CreateUser{.name = "carol", .role = farm::Role::kUser, .groups = {"a", "b"}, .token_hash = "12ab"});
  EXPECT_EQ(last_line(fixture, "user created"), "info user created user=carol role=user groups=a,b actor=root");
  const auto created = last_line(fixture, "token created");
  EXPECT_TRUE(created.starts_with("info token created token=")) << created;
  EXPECT_TRUE(created.ends_with(" user=carol role=user actor=root")) << created;
}

TEST(EventLog, NeverHoldsAHashOrAKey) {
  FarmFixture fixture;
  const std::string hash(64, 'e');
  fixture.act("root", farm::CreateUser{.name = "carol", .role = farm::Role::kUser, .groups = {}, .token_hash = hash});
  fixture.create_worker_token(true);
  fixture.make_idle("w", {{"name", "w"}});
  std::set<std::string> secrets{hash, "ssh-ed25519 AAAA", fixture.worker("w").key_fingerprint};
  for (const auto& [id, token] : fixture.farm().tokens()) secrets.insert(token.hash);
  secrets.erase("");
  EXPECT_GE(secrets.size(), 4U);
  for (const auto& event : fixture.events()) {
    const auto line = line_of(event, fixture.farm());
    for (const auto& secret : secrets) EXPECT_EQ(line.find(secret), std::string::npos) << line;
  }
}

TEST(EventLog, NamesRequestWorkerAndActorInEverySituation) {
  for (const auto& situation : FarmFixture::situations()) {
    FarmFixture fixture;
    fixture.bring(situation);
    for (const auto& event : fixture.events()) {
      const auto line = line_of(event, fixture.farm());
      EXPECT_EQ(farm::request_of(event.body).has_value(), line.find(" request=") != std::string::npos) << line;
      const bool tells_worker = line.find(" worker=") != std::string::npos;
      EXPECT_TRUE(tells_worker || !farm::worker_of(event.body)) << line;
      EXPECT_NE(line.find(" actor=" + event.actor.name), std::string::npos) << line;
    }
  }
}

}  // namespace
}  // namespace boruta::server
