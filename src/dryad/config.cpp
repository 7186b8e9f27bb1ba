#include "dryad/config.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <arpa/inet.h>
#include <cstdlib>
#include <utility>

#include "base/ids.hpp"
#include "dryad/board_config.hpp"
#include "dryad/users.hpp"

namespace boruta::dryad {
namespace {

using config::Keys;
using config::Verdict;

Verdict take_caps(const toml::node& node, Capabilities& caps) {
  const auto* table = node.as_table();
  if (table == nullptr) return "a table of strings is expected";
  for (const auto& [key, value] : *table) {
    const auto text = value.value_exact<std::string>();
    if (!text)
      return fmt::format("a string is expected for {}, like {} = \"{}\"", key.str(), key.str(),
                         config::value_text(value));
    caps.emplace(std::string(key.str()), *text);
  }
  if (auto beyond = check_limits(caps)) return *beyond;
  const auto uuid = caps.find(kUuidCap);
  if (uuid == caps.end()) return "UUID is missing: the worker's own, as uuidgen makes them, in lower case";
  if (!WorkerUuid::parse(uuid->second)) {
    return fmt::format("UUID = \"{}\": a UUID in lower case is expected, like \"{}\"", uuid->second,
                       "6a3c1a52-8f0e-4c55-9d27-0d4e9a1b7f60");
  }
  return {};
}

/// Of an sshd: 0 is no port to dial.
Verdict take_ssh_address(const toml::node& node, HostPort& target) {
  const auto verdict = config::take_address(node, target);
  return verdict.empty() && target.port == 0 ? "a port from 1 to 65535 is expected" : verdict;
}

Verdict take_user_name(const toml::node& node, Config& config) {
  if (!config::take_text(node, config.user_name).empty() || !is_user_name(config.user_name) ||
      config.user_name == "root") {
    return "the name of an account to make is expected: lower-case letters, digits, - and _, and not root";
  }
  return {};
}

Verdict take_run_as(const toml::node& node, Config& config) {
  if (!config::take_text(node, config.run_as).empty() || !is_user_name(config.run_as) || config.run_as == "root") {
    return "the name of an account of this system without any rights is expected, like \"dryad\"";
  }
  return {};
}

Keys timing_keys(Config& config) {
  const auto between = [](Duration least, Duration most, Duration* target) {
    return [=](const toml::node& node) { return config::take_duration(node, least, most, *target); };
  };
  using namespace std::chrono_literals;
  return {
      {"backoff_min", between(10ms, 10min, &config.backoff_least)},
      {"backoff_max", between(10ms, 10min, &config.backoff_most)},
      {"keepalive_every", between(5s, 10min, &config.keepalive_every)},
      {"keepalive_timeout", between(100ms, 10min, &config.keepalive_timeout)},
      {"kill_limit", between(1s, 50s, &config.kill_limit)},
  };
}

Keys top_keys(Config& config, config::Reader& reader) {
  const auto unused = [&](std::string name) {
    return [&config, name = std::move(name)](const toml::node&) -> Verdict {
      config.warnings.push_back(fmt::format("{} is not used any more", name));
      return {};
    };
  };
  return {
      {"boruta_address", [&](const auto& node) { return config::take_address(node, config.boruta); }},
      {"ssh_address", [&](const auto& node) { return take_ssh_address(node, config.ssh); }},
      {"caps", [&](const auto& node) { return take_caps(node, config.caps); }},
      {"user",
       reader.table("user",
                    {{"name", [&](const auto& node) { return take_user_name(node, config); }},
                     {"groups", [&](const auto& node) { return config::take_texts(node, config.user_groups); }}})},
      {"access",
       [&](const auto& node) {
         return config::take_word<AccessMode>(
             node, {{"account", AccessMode::kAccount}, {"private", AccessMode::kPrivate}}, config.access);
       }},
      {"run_as", [&](const auto& node) { return take_run_as(node, config); }},
      {"state_dir", [&](const auto& node) { return config::take_path(node, config.state_dir); }},
      {"token_file", [&](const auto& node) { return config::take_path(node, config.token_file); }},
      {"ca_file", [&](const auto& node) { return config::take_path(node, config.ca_file); }},
      {"sshd", [&](const auto& node) { return config::take_text(node, config.sshd); }},
      {"log_format",
       [&](const auto& node) {
         return config::take_word<ConfigLogFormat>(
             node, {{"text", ConfigLogFormat::kText}, {"json", ConfigLogFormat::kJson}}, config.log_format);
       }},
      {"board", reader.table("board", board_keys(config.board))},
      {"timing", reader.table("timing", timing_keys(config))},
      {"listen_address", unused("listen_address")},
      {"sdcard", unused("sdcard")},
      {"stm_path",
       [](const auto&) -> Verdict {
         return "the STM of a MuxPi is not driven through stm any more, but by dryad itself: write [board] with "
                "driver = \"muxpi\" and, unless it is /dev/ttyS2, tty = \"/dev/…\" instead";
       }},
  };
}

void check_whole(const toml::table& table, const Config& config, config::Reader& reader) {
  if (!table.contains("boruta_address")) {
    reader.fail(0, "boruta_address is missing: where the server is, like \"boruta.example.org:7175\"");
  } else if (table["boruta_address"].is_string() && (config.boruta.host.empty() || config.boruta.port == 0)) {
    reader.fail(config::line_of(table, "boruta_address"),
                "boruta_address: a host and a port are expected, like \"boruta.example.org:7175\"");
  }
  if (!table.contains("caps")) reader.fail(0, "[caps] is missing: it must hold the worker's UUID");
  if (config.run_as == config.user_name) {
    reader.fail(config::line_of(table, "run_as"),
                fmt::format("run_as and user.name are both \"{}\": the account of jobs is made and removed by dryad, "
                            "another one runs it",
                            config.run_as));
  }
  if (config.backoff_least > config.backoff_most) {
    reader.fail(config::line_of(table, "timing"), "timing: backoff_min is longer than backoff_max");
  }
}

}  // namespace

std::expected<Config, config::Errors> parse_config(std::string_view text, const std::string& file, bool root) {
  Config config;
  config.state_dir = default_state_dir(root);
  config::Reader reader(file);
  const auto table = reader.read(text, top_keys(config, reader));
  // A file with a syntax error was not read: what it lacks is anyone's guess.
  if (!table.empty() || !reader.failed()) check_whole(table, config, reader);
  if (reader.failed()) return std::unexpected(reader.errors());
  return config;
}

std::filesystem::path default_state_dir(bool root) {
  if (root) return "/var/lib/dryad";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    return std::filesystem::path(state) / "boruta-dryad";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/" : home) / ".local/state/boruta-dryad";
}

std::vector<std::string> listen_addresses(const Config& config) {
  if (is_ip_literal(config.ssh.host)) return {config.ssh.host};
  if (is_loopback(config.boruta.host) && config.ssh.host.empty()) return {"127.0.0.1", "::1"};
  return {"0.0.0.0", "::"};
}

std::string first_config(const std::string& uuid, bool root) {
  return fmt::format(R"(# Config of dryad, the agent of a Boruta worker.

# Where the server listens for agents.
boruta_address = "127.0.0.1:7175"

# Where the server reaches this worker's sshd. An empty host is the address that the server sees us come from.
#ssh_address = ":22"

# How users get in: "account" makes a throw-away account behind the system's sshd and needs root; "private" runs an
# sshd of its own as the present user, for trying Boruta out.
access = "{}"

# With "account", as whom dryad runs but for the small part that makes and removes accounts, which stays root.
#run_as = "dryad"

# A token of role "worker"; its first line is read.
#token_file = "/etc/boruta/dryad.token"

# The authorities to trust, for a server with TLS.
#ca_file = "/etc/boruta/ca.pem"

#state_dir = "{}"
#log_format = "json"

# What this worker offers. The UUID was drawn just now and must stay.
[caps]
UUID = "{}"
#name = "rpi4-03"
#board = "rpi4"

# The account that access = "account" makes.
#[user]
#name = "boruta-user"
#groups = ["dialout"]

{}
#[timing]
#backoff_min = "200ms"
#backoff_max = "10s"
#keepalive_every = "10s"
#keepalive_timeout = "10s"
#kill_limit = "10s"
)",
                     root ? "account" : "private", default_state_dir(root).native(), uuid, first_board_config());
}

}  // namespace boruta::dryad
