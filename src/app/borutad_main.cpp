#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "app/backup.hpp"
#include "app/init_tls.hpp"
#include "app/server_app.hpp"
#include "app/server_config.hpp"
#include "runtime/files.hpp"

namespace {

using boruta::app::ServerConfig;

/// What flags may override; empty or nothing: not given.
struct Flags {
  std::string config;
  std::string data_dir;
  std::string http_listen;
  std::string agent_listen;
  std::string auth;
  std::string log_format;
  bool insecure = false;
  /// Of init-tls.
  std::string tls_dir;
  std::vector<std::string> hosts;
  /// Of backup.
  std::string backup_file;
};

int complain(int code, const std::string& text) {
  fmt::print(stderr, "borutad: {}\n", text);
  return code;
}

/// The config file, if there is one or one was named. Complains and returns an exit code otherwise.
std::expected<ServerConfig, int> load_config(const Flags& flags) {
  const auto& path = flags.config.empty() ? std::string(boruta::app::kServerConfigPath) : flags.config;
  if (flags.config.empty() && !std::filesystem::exists(path)) return ServerConfig{};
  constexpr std::size_t kLargestConfig = std::size_t{1} << 20U;
  const auto text = boruta::runtime::read_file(path, kLargestConfig);
  if (!text) return std::unexpected(complain(boruta::app::kExitConfig, text.error()));
  auto config = boruta::app::parse_server_config(*text, path);
  if (config) return *std::move(config);
  for (const auto& line : config.error()) complain(boruta::app::kExitConfig, line);
  return std::unexpected(boruta::app::kExitConfig);
}

/// Empty, or what is wrong with the flag.
std::string take_listen(const char* flag, const std::string& text, boruta::HostPort& target) {
  if (text.empty()) return {};
  const auto parsed = boruta::parse_host_port(text);
  if (!parsed || parsed->host.empty() || !parsed->port) {
    return fmt::format("{} {}: ADDR:PORT is expected, like 127.0.0.1:8487", flag, text);
  }
  target = *parsed;
  return {};
}

std::string apply_flags(const Flags& flags, ServerConfig& config) {
  if (!flags.data_dir.empty()) config.data_dir = std::filesystem::absolute(flags.data_dir);
  if (auto wrong = take_listen("--http-listen", flags.http_listen, config.http); !wrong.empty()) return wrong;
  if (auto wrong = take_listen("--agent-listen", flags.agent_listen, config.agent); !wrong.empty()) return wrong;
  if (!flags.auth.empty()) config.policy.access_control = flags.auth == "on";
  if (!flags.log_format.empty()) {
    config.log_format =
        flags.log_format == "json" ? boruta::runtime::LogFormat::kJson : boruta::runtime::LogFormat::kText;
  }
  config.insecure = config.insecure || flags.insecure;
  return boruta::app::check_server_config(config);
}

int make_tls(const ServerConfig& config, const Flags& flags) {
  boruta::app::NewTls wanted{
      .directory = flags.tls_dir.empty() ? config.data_dir / "tls" : std::filesystem::absolute(flags.tls_dir),
      .hosts = flags.hosts};
  const auto made = boruta::app::init_tls(wanted);
  if (!made) return complain(boruta::app::kExitCannotStart, made.error());
  const auto dir = wanted.directory.string();
  fmt::print(
      "made a certificate for {}\n\nin borutad.toml:\n\n[tls]\ncertificate = \"{}/server.pem\"\n"
      "key = \"{}/server.key\"\n\nClients trust it by BORUTA_CA={}/ca.pem or `boruta login --ca`, agents by "
      "ca_file; a running\nserver takes it up at SIGHUP. Keep {}/ca.key to yourself.\n",
      fmt::join(*made, ", "), dir, dir, dir, dir);
  return 0;
}

CLI::App* declare_init_tls(CLI::App& app, Flags& flags) {
  auto* command =
      app.add_subcommand("init-tls", "make a private authority, unless there is one, and a server certificate from it");
  command
      ->add_option("--host", flags.hosts,
                   "names and addresses of the server (default: this machine's name, "
                   "localhost, 127.0.0.1, ::1)")
      ->type_name("NAME|IP ...");
  command->add_option("--dir", flags.tls_dir, "where they are kept (default: DIR/tls)")->type_name("DIR");
  command->fallthrough();
  return command;
}

CLI::App* declare_backup(CLI::App& app, Flags& flags) {
  auto* command =
      app.add_subcommand("backup", "copy the farm to FILE, which must not be there yet; the server may run meanwhile");
  command->add_option("FILE", flags.backup_file, "the backup: one file, without private keys")->required();
  command->fallthrough();
  return command;
}

int back_up(const ServerConfig& config, const Flags& flags) {
  const auto file = std::filesystem::absolute(flags.backup_file);
  const auto made = boruta::app::make_backup(config.data_dir, file);
  if (!made) return complain(boruta::app::kExitCannotStart, made.error());
  fmt::print("the backup is in {}\n", file.string());
  return 0;
}

void declare(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", "borutad " BORUTA_VERSION);
  app.add_option("--config", flags.config, "TOML file (default: /etc/boruta/borutad.toml, if it is there)")
      ->type_name("FILE");
  app.add_option("--data-dir", flags.data_dir, "where everything is kept (default: /var/lib/boruta)")->type_name("DIR");
  app.add_option("--http-listen", flags.http_listen, "for users (default: 127.0.0.1:8487; port 0: any free one)")
      ->type_name("ADDR:PORT");
  app.add_option("--agent-listen", flags.agent_listen, "for dryads (default: 127.0.0.1:7175; port 0: any free one)")
      ->type_name("ADDR:PORT");
  app.add_option("--auth", flags.auth, "off: everybody may do everything, as clients of Boruta 0.2.1 need")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--log-format", flags.log_format, "text for people, json for programs")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--insecure", flags.insecure, "listen without encryption beyond this machine");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "The server of Boruta, which lends test devices to people and CI jobs.\n"
      "It keeps requests and workers in DIR/boruta.db, writes DIR/admin-token on its first start,\n"
      "and tells where it listens in DIR/endpoints.json. Flags beat the config file.");
  app.name("borutad");
  Flags flags;
  declare(app, flags);
  auto* new_token = app.add_subcommand("new-admin-token",
                                       "make another admin token in DIR/admin-token, while the server does not run");
  new_token->fallthrough();
  const auto* new_tls = declare_init_tls(app, flags);
  const auto* backup = declare_backup(app, flags);
  app.footer(
      "Try it: borutad --data-dir /tmp/farm\n"
      "Exit codes: 0 stopped by a signal, 64 wrong usage, 69 cannot start, 74 the store cannot be written,\n"
      "78 wrong config.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : boruta::app::kExitUsage;
  }
  auto config = load_config(flags);
  if (!config) return config.error();
  if (!flags.data_dir.empty()) config->data_dir = std::filesystem::absolute(flags.data_dir);
  if (new_tls->parsed()) return make_tls(*config, flags);
  if (backup->parsed()) return back_up(*config, flags);
  if (const auto wrong = apply_flags(flags, *config); !wrong.empty()) return complain(boruta::app::kExitUsage, wrong);
  return new_token->parsed() ? boruta::app::make_admin_token(*config) : boruta::app::serve(*config);
}
