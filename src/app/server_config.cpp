#include "app/server_config.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/limits.hpp"

namespace boruta::app {
namespace {

using config::Key;
using config::Keys;
using config::Verdict;
using namespace std::chrono_literals;

auto between(Duration least, Duration most, Duration* target) {
  return [=](const toml::node& node) { return config::take_duration(node, least, most, *target); };
}

/// "30000-39999"
Verdict take_ports(const toml::node& node, farm::Policy& policy) {
  constexpr const char* kExpected = "a range of ports like \"30000-39999\" is expected";
  std::string text;
  if (!config::take_text(node, text).empty()) return kExpected;
  const auto* const end = text.data() + text.size();
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  const auto [dash, wrong_first] = std::from_chars(text.data(), end, first);
  if (wrong_first != std::errc{} || dash == end || *dash != '-') return kExpected;
  const auto [rest, wrong_last] = std::from_chars(dash + 1, end, last);
  if (wrong_last != std::errc{} || rest != end || first == 0 || last < first) return kExpected;
  policy.first_tunnel_port = first;
  policy.last_tunnel_port = last;
  return {};
}

Verdict take_ip(const toml::node& node, std::string& target, bool wildcard_allowed) {
  constexpr const char* kExpected = "an IP address by number is expected";
  if (!config::take_text(node, target).empty() || !is_ip_literal(target)) return kExpected;
  const bool wildcard = target == "0.0.0.0" || target == "::";
  return wildcard && !wildcard_allowed ? "an address that users can reach is expected, not a wildcard" : Verdict{};
}

Verdict take_program(const toml::node& node, std::vector<std::string>& target) {
  const auto verdict = config::take_texts(node, target);
  if (!verdict.empty() || (!target.empty() && target.front().empty())) {
    return "an array with a program and its arguments is expected, like [\"/usr/local/bin/tell\", \"--mail\"]";
  }
  return {};
}

Verdict take_kinds(const toml::node& node, std::vector<News>& target) {
  std::vector<std::string> words;
  if (!config::take_texts(node, words).empty() || words.empty()) return "an array like [\"failed\"] is expected";
  std::vector<News> kinds;
  for (const auto& word : words) {
    const auto news = parse_news(word);
    if (!news) return fmt::format("\"{}\" is none of {}", word, news.error());
    kinds.push_back(*news);
  }
  target = std::move(kinds);
  return {};
}

Verdict take_count(const toml::node& node, std::int64_t most, std::size_t& target) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < 0 || *value > most) return fmt::format("a whole number from 0 to {} is expected", most);
  target = static_cast<std::size_t>(*value);
  return {};
}

Verdict take_check_interval(const toml::node& node, Duration& target) {
  const auto verdict = config::take_duration(node, 0s, 365 * 24h, target);
  const bool rushed = target > 0s && target < 1s;
  return verdict.empty() && rushed ? "0s, for never, or a duration from 1s on is expected" : verdict;
}

Keys quarantine_keys(ServerConfig& config) {
  constexpr std::int64_t kMostOwners = 1000;
  constexpr std::int64_t kHundred = 100;
  return {
      {"owners", [&](const auto& node) { return take_count(node, kMostOwners, config.quarantine.owners); }},
      {"percent", [&](const auto& node) { return take_count(node, kHundred, config.quarantine.percent); }},
  };
}

Keys tunnel_keys(ServerConfig& config) {
  using tunnel::Mode;
  return {
      {"mode",
       [&](const auto& node) {
         return config::take_word<Mode>(
             node, {{"auto", Mode::kAuto}, {"direct", Mode::kDirect}, {"agent", Mode::kAgent}}, config.tunnel_mode);
       }},
      {"address", [&](const auto& node) { return take_ip(node, config.tunnel_address, true); }},
      {"ports", [&](const auto& node) { return take_ports(node, config.policy); }},
      {"advertise", [&](const auto& node) { return take_ip(node, config.tunnel_advertise, false); }},
  };
}

Keys scheduling_keys(ServerConfig& config) {
  using farm::QueueOrder;
  constexpr auto kYear = 365 * 24h;
  return {
      {"order",
       [&](const auto& node) {
         return config::take_word<QueueOrder>(node, {{"fifo", QueueOrder::kFifo}, {"fair", QueueOrder::kFair}},
                                              config.policy.order);
       }},
      {"half_life", between(1min, kYear, &config.policy.half_life)},
      {"overdue_after", between(0s, kYear, &config.policy.overdue_after)},
  };
}

Verdict take_number(const toml::node& node, std::uint32_t& target) {
  constexpr std::int64_t kMost = 1'000'000;
  const auto number = node.value_exact<std::int64_t>();
  if (!number || *number < 0 || *number > kMost) return fmt::format("a number from 0 to {} is expected", kMost);
  target = static_cast<std::uint32_t>(*number);
  return {};
}

Keys limit_keys(ServerConfig& config) {
  return {
      {"requests_per_second", [&](const auto& node) { return take_number(node, config.requests_per_second); }},
      {"connections_per_client", [&](const auto& node) { return take_number(node, config.connections_per_client); }},
      {"waiting_per_user", [&](const auto& node) { return take_number(node, config.policy.waiting_per_user); }},
  };
}

/// A creation answers to its Idempotency-Key for so long.
constexpr Duration kShortestKept = limits::kIdempotencyKept;
/// What is forgotten no longer counts as use of the farm after a restart: it must count for next to nothing before.
constexpr int kHalfLivesKept = 10;

Verdict take_age(const toml::node& node, Duration& target) {
  constexpr Duration kLongest = 100 * 365 * 24h;
  const auto verdict = config::take_duration(node, 0s, kLongest, target);
  const bool short_lived = target > 0s && target < kShortestKept;
  if (verdict.empty() && !short_lived) return {};
  return fmt::format("0s, for ever, or a duration from {} to {} is expected", format_duration(kShortestKept),
                     format_duration(kLongest));
}

Keys retention_keys(ServerConfig& config) {
  return {
      {"requests", [&](const auto& node) { return take_age(node, config.policy.keep_requests); }},
      {"events", [&](const auto& node) { return take_age(node, config.keep_events); }},
  };
}

/// Empty, or why requests cannot be forgotten so soon. Where no age was given it is made long enough.
std::string fit_retention(ServerConfig& config, bool given) {
  auto& policy = config.policy;
  const auto least = kHalfLivesKept * policy.half_life;
  if (policy.order != farm::QueueOrder::kFair || policy.keep_requests == 0s || policy.keep_requests >= least) return {};
  if (given) {
    return fmt::format("retention.requests, {}, is shorter than {}, which is {} times scheduling.half_life",
                       format_duration(policy.keep_requests), format_duration(least), kHalfLivesKept);
  }
  policy.keep_requests = least;
  return {};
}

Keys tls_keys(ServerConfig& config) {
  return {
      {"certificate", [&](const auto& node) { return config::take_path(node, config.tls_certificate); }},
      {"key", [&](const auto& node) { return config::take_path(node, config.tls_key); }},
  };
}

Keys log_keys(ServerConfig& config) {
  using runtime::LogFormat;
  using runtime::LogLevel;
  return {
      {"level",
       [&](const auto& node) {
         return config::take_word<LogLevel>(node,
                                            {{"debug", LogLevel::kDebug},
                                             {"info", LogLevel::kInfo},
                                             {"warning", LogLevel::kWarning},
                                             {"error", LogLevel::kError}},
                                            config.log_level);
       }},
      {"format",
       [&](const auto& node) {
         return config::take_word<LogFormat>(node, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                                             config.log_format);
       }},
  };
}

Keys top_keys(ServerConfig& config, config::Reader& reader) {
  auto& policy = config.policy;
  constexpr auto kDay = 24h;
  return {
      {"data_dir", [&](const auto& node) { return config::take_path(node, config.data_dir); }},
      {"http_listen", [&](const auto& node) { return config::take_address(node, config.http); }},
      {"agent_listen", [&](const auto& node) { return config::take_address(node, config.agent); }},
      {"auth",
       [&](const auto& node) {
         return config::take_word<bool>(node, {{"on", true}, {"off", false}}, policy.access_control);
       }},
      {"insecure", [&](const auto& node) { return config::take_flag(node, config.insecure); }},
      {"lease", between(1s, 365 * kDay, &policy.lease)},
      {"lease_max", between(1s, 365 * kDay, &policy.lease_max)},
      {"claim_within", between(0s, 365 * kDay, &policy.claim_within)},
      {"invalid_after", between(0s, 365 * kDay, &policy.invalid_after)},
      {"prepare_timeout", between(100ms, 1h, &policy.respond_within)},
      {"grant_timeout", between(100ms, 1h, &policy.grant_within)},
      {"lost_after", between(100ms, 1h, &policy.lost_after)},
      {"lost_grace", between(0s, kDay, &policy.lost_grace)},
      {"healthcheck_every", [&](const auto& node) { return take_check_interval(node, config.healthcheck_every); }},
      {"store_patience", between(0s, 1h, &config.store_patience)},
      {"on_event", [&](const auto& node) { return take_program(node, config.hook.argv); }},
      {"on_event_kinds", [&](const auto& node) { return take_kinds(node, config.hook.wanted); }},
      {"scheduling", reader.table("scheduling", scheduling_keys(config))},
      {"quarantine", reader.table("quarantine", quarantine_keys(config))},
      {"tunnel", reader.table("tunnel", tunnel_keys(config))},
      {"limits", reader.table("limits", limit_keys(config))},
      {"retention", reader.table("retention", retention_keys(config))},
      {"tls", reader.table("tls", tls_keys(config))},
      {"log", reader.table("log", log_keys(config))},
  };
}

}  // namespace

std::expected<ServerConfig, config::Errors> parse_server_config(std::string_view text, const std::string& file) {
  ServerConfig config;
  config::Reader reader(file);
  const auto table = reader.read(text, top_keys(config, reader));
  if (config.policy.lease > config.policy.lease_max) {
    reader.fail(config::line_of(table, "lease"),
                fmt::format("lease, {}, is longer than lease_max, {}", format_duration(config.policy.lease),
                            format_duration(config.policy.lease_max)));
  }
  if (const auto wrong = fit_retention(config, table["retention"]["requests"].is_string()); !wrong.empty()) {
    reader.fail(config::line_of(table, "retention"), wrong);
  }
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    reader.fail(config::line_of(table, "tls"), "tls needs both certificate and key");
  }
  if (reader.failed()) return std::unexpected(reader.errors());
  return config;
}

std::string check_server_config(const ServerConfig& config) {
  const auto exposed = [&](std::string_view what, const HostPort& listen) {
    return fmt::format(
        "{} would listen on {} without encryption: set up tls (\"borutad init-tls\" makes certificates), listen on "
        "127.0.0.1, or say --insecure if the network is trusted",
        what, format_host_port(listen.host, listen.port.value_or(0)));
  };
  if (config.insecure || !config.tls_certificate.empty()) return {};
  if (!is_loopback(config.http.host)) return exposed("HTTP", config.http);
  if (!is_loopback(config.agent.host)) return exposed("the agents' gRPC", config.agent);
  return {};
}

}  // namespace boruta::app
