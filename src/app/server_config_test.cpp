#include "app/server_config.hpp"

#include <gtest/gtest.h>

namespace boruta::app {
namespace {

using namespace std::chrono_literals;

TEST(ServerConfig, TakesEveryKey) {
  const auto config = parse_server_config(R"(
data_dir = "/srv/boruta"
http_listen = "[::1]:80"
agent_listen = "10.0.0.1:7000"
auth = "off"
insecure = true
lease = "30m"
lease_max = "3d"
claim_within = "0"
invalid_after = "1m"
prepare_timeout = "5s"
grant_timeout = "4s"
lost_after = "500ms"
lost_grace = "2m"
healthcheck_every = "5m"
store_patience = "1m"
on_event = ["/bin/tell", "lab"]
on_event_kinds = ["failed", "registered"]
[quarantine]
owners = 4
percent = 25
[tunnel]
address = "0.0.0.0"
ports = "4000-4999"
advertise = "192.0.2.7"
[limits]
requests_per_second = 0
connections_per_client = 50
waiting_per_user = 100
[tls]
certificate = "/etc/boruta/server.pem"
key = "/etc/boruta/server.key"
[log]
level = "debug"
format = "json"
)",
                                          "borutad.toml");
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->data_dir, "/srv/boruta");
  EXPECT_EQ(config->http, (HostPort{.host = "::1", .port = 80}));
  EXPECT_EQ(config->agent, (HostPort{.host = "10.0.0.1", .port = 7000}));
  EXPECT_FALSE(config->policy.access_control);
  EXPECT_TRUE(config->insecure);
  EXPECT_EQ(config->policy.lease, 30min);
  EXPECT_EQ(config->policy.lease_max, 72h);
  EXPECT_EQ(config->policy.claim_within, 0s);
  EXPECT_EQ(config->policy.invalid_after, 1min);
  EXPECT_EQ(config->policy.respond_within, 5s);
  EXPECT_EQ(config->policy.grant_within, 4s);
  EXPECT_EQ(config->policy.lost_after, 500ms);
  EXPECT_EQ(config->policy.lost_grace, 2min);
  EXPECT_EQ(config->store_patience, 1min);
  EXPECT_EQ(config->hook.argv, (std::vector<std::string>{"/bin/tell", "lab"}));
  EXPECT_EQ(config->hook.wanted, (std::vector{News::kFailed, News::kRegistered}));
  EXPECT_EQ(config->healthcheck_every, 5min);
  EXPECT_EQ(config->quarantine.owners, 4U);
  EXPECT_EQ(config->quarantine.percent, 25U);
  EXPECT_EQ(config->tunnel_address, "0.0.0.0");
  EXPECT_EQ(config->policy.first_tunnel_port, 4000);
  EXPECT_EQ(config->policy.last_tunnel_port, 4999);
  EXPECT_EQ(config->tunnel_advertise, "192.0.2.7");
  EXPECT_EQ(config->requests_per_second, 0U);
  EXPECT_EQ(config->connections_per_client, 50U);
  EXPECT_EQ(config->policy.waiting_per_user, 100U);
  EXPECT_EQ(config->tls_certificate, "/etc/boruta/server.pem");
  EXPECT_EQ(config->tls_key, "/etc/boruta/server.key");
  EXPECT_EQ(config->log_level, runtime::LogLevel::kDebug);
  EXPECT_EQ(config->log_format, runtime::LogFormat::kJson);
}

TEST(ServerConfig, NamesFileLineKeyAndWhatIsExpected) {
  const struct {
    std::string text;
    std::string error;
  } cases[] = {
      {"lease_max = \"90x\"", "f:1: lease_max = \"90x\": a duration like"},
      {"\nlease = 90", "f:2: lease = 90: a duration like"},
      {"lease = \"2d\"\n", "f:1: lease, 48h, is longer than lease_max, 24h"},
      {"colour = \"red\"", "f:1: colour: there is no such key; known are data_dir, "},
      {"auth = \"maybe\"", "f:1: auth = \"maybe\": \"on\" or \"off\" is expected"},
      {"auth = true", "f:1: auth = true: \"on\" or \"off\" is expected"},
      {"data_dir = \"here\"", "f:1: data_dir = \"here\": a path from / on is expected"},
      {"http_listen = \"http://x\"", "f:1: http_listen = \"http://x\": \"HOST:PORT\" is expected"},
      {"insecure = \"yes\"", "f:1: insecure = \"yes\": true or false is expected"},
      {"[tunnel]\nports = \"9-8\"", "f:2: tunnel.ports = \"9-8\": a range of ports like"},
      {"[tunnel]\nports = \"1-70000\"", "f:2: tunnel.ports = \"1-70000\": a range of ports like"},
      {"[tunnel]\nadvertise = \"::\"", "f:2: tunnel.advertise = \"::\": an address that users can reach is expected"},
      {"[tunnel]\nadvertise = \"lab\"", "f:2: tunnel.advertise = \"lab\": an IP address by number is expected"},
      {"lost_after = \"1ms\"", "f:1: lost_after = \"1ms\": a duration from 100ms to 1h is expected"},
      {"on_event = \"tell\"", "f:1: on_event = \"tell\": an array with a program and its arguments is expected"},
      {"on_event_kinds = [\"burnt\"]", "f:1: on_event_kinds = […]: \"burnt\" is none of \"failed\", \"lost\""},
      {"on_event_kinds = []", "f:1: on_event_kinds = […]: an array like [\"failed\"] is expected"},
      {"healthcheck_every = \"10ms\"", "f:1: healthcheck_every = \"10ms\": 0s, for never, or a duration from 1s on"},
      {"[quarantine]\npercent = 101", "f:2: quarantine.percent = 101: a whole number from 0 to 100 is expected"},
      {"[quarantine]\nowners = \"3\"", "f:2: quarantine.owners = \"3\": a whole number from 0 to 1000 is expected"},
      {"tunnel = 3", "f:1: tunnel = 3: a table is expected"},
      {"[log]\nlevel = \"loud\"", "f:2: log.level = \"loud\": \"debug\" or"},
      {"[limits]\nrequests_per_second = -1", "f:2: limits.requests_per_second = -1: a number from 0 to 1000000 is"},
      {"[tls]\nkey = \"server.key\"", "f:2: tls.key = \"server.key\": a path from / on is expected"},
      {"[tls]\nkey = \"/server.key\"", "f:1: tls needs both certificate and key"},
      {"[retention]\nevents = \"23h\"", "f:2: retention.events = \"23h\": 0s, for ever, or a duration from 24h to"},
      {"[retention]\nrequests = \"9d\"\n[scheduling]\norder = \"fair\"",
       "f:1: retention.requests, 216h, is shorter than 240h, which is 10 times scheduling.half_life"},
      {"lease = ", "f:1: "},
  };
  for (const auto& [text, error] : cases) {
    const auto config = parse_server_config(text, "f");
    ASSERT_FALSE(config.has_value()) << text;
    EXPECT_TRUE(config.error().front().starts_with(error)) << text << " gave: " << config.error().front();
  }
}

TEST(ServerConfig, TakesHowLongRequestsAndEventsAreKept) {
  const auto config = parse_server_config("[retention]\nrequests = \"400d\"\nevents = \"1d\"", "f");
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->policy.keep_requests, 400 * 24h);
  EXPECT_EQ(config->keep_events, 24h);
}

TEST(ServerConfig, KeepsRequestsAsLongAsTheirUseCounts) {
  const auto kept = [](const char* text) { return parse_server_config(text, "f").value().policy.keep_requests; };
  EXPECT_EQ(kept(""), 90 * 24h);
  EXPECT_EQ(kept("[retention]\nrequests = \"0s\"\n[scheduling]\norder = \"fair\""), 0s);
  EXPECT_EQ(kept("[scheduling]\norder = \"fair\"\nhalf_life = \"30d\""), 300 * 24h);
  EXPECT_EQ(kept("[scheduling]\nhalf_life = \"30d\""), 90 * 24h);
}

TEST(ServerConfig, ListensInPlainTextBeyondLoopbackOnlyIfToldSo) {
  ServerConfig config;
  EXPECT_EQ(check_server_config(config), "");
  config.agent.host = "0.0.0.0";
  EXPECT_NE(check_server_config(config).find("gRPC would listen on 0.0.0.0:7175"), std::string::npos);
  config.insecure = true;
  EXPECT_EQ(check_server_config(config), "");
  config = ServerConfig{};
  config.http.host = "::";
  config.tls_certificate = "/server.pem";
  EXPECT_EQ(check_server_config(config), "");
  config.tls_certificate.clear();
  EXPECT_NE(check_server_config(config).find("HTTP would listen on [::]:8487"), std::string::npos);
}

}  // namespace
}  // namespace boruta::app
