#include "dryad/enroll.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <unistd.h>

#include "dryad/check.hpp"
#include "dryad/exit_codes.hpp"
#include "dryad/files.hpp"
#include "dryad/probe.hpp"
#include "dryad/random_text.hpp"
#include "dryad/setup.hpp"
#include "dryad/subprocess.hpp"

namespace boruta::dryad {
namespace {

constexpr std::chrono::seconds kServerLimit{10};
constexpr std::size_t kTokenBytes = 4096;
constexpr const char* kService = "dryad.service";

int fail(int exit_code, const std::string& text) {
  fmt::print(stderr, "dryad: {}\n", text);
  return exit_code;
}

void say(const char* what, const std::string& text) {
  fmt::print("{:<6} {}\n", what, text);
  (void)std::fflush(stdout);
}

std::expected<Secret, std::string> take_token(const EnrollOptions& enroll, const Options& options) {
  std::string warning;
  if (!enroll.token_stdin) return read_token(*options.token_file, warning);
  if (::isatty(STDIN_FILENO) != 0) fmt::print(stderr, "token: ");
  std::string line;
  std::getline(std::cin, line);
  if (line.size() > kTokenBytes) line.clear();
  return token_in(std::move(line), "standard input");
}

/// The UUID that this machine has already, or a new one. Error: there is a config that is not to be replaced.
std::expected<std::string, std::string> choose_uuid(const EnrollOptions& enroll, const Options& options) {
  if (std::error_code ignored; !std::filesystem::exists(options.config, ignored)) return random_uuid();
  if (!enroll.replace) {
    return std::unexpected(fmt::format(
        "{}: this machine is set up already; change it there, or say --replace to write it anew with the same UUID",
        options.config.native()));
  }
  const auto before = load_config(Options{.config = options.config});
  if (!before) {
    return std::unexpected(fmt::format("{}; it can't be read for its UUID: mend it, or remove it for a new worker",
                                       before.error().front()));
  }
  return before->config.caps.at(std::string(kUuidCap));
}

/// Nothing if the server would let the worker in, or if it is not to be asked.
std::optional<int> refused_by_server(const EnrollOptions& enroll, const Options& options, const Secret& token,
                                     const std::string& uuid) {
  if (enroll.offline) return std::nullopt;
  const auto grpc = make_grpc_options(enroll.server, token, options.ca_file.value_or(""));
  if (!grpc) return fail(kExitConfig, grpc.error());
  const auto answer = ask_server(*grpc, uuid, kServerLimit);
  if (!answer) {
    return fail(kExitFault, fmt::format("{} does not answer: {}: nothing was written (--offline does not ask)",
                                        grpc->address, answer.error()));
  }
  if (answer->refusal.empty()) return std::nullopt;
  return fail(kExitUnfit, fmt::format("{} refuses the token: {}: nothing was written; `boruta workers enroll` makes "
                                      "another",
                                      grpc->address, answer->refusal));
}

std::expected<void, std::string> write_files(const Options& options, const std::filesystem::path& token_file,
                                             const Secret& token, const std::string& config) {
  if (options.config.has_parent_path()) {
    if (auto made = make_directories(options.config.parent_path(), 0755); !made) return made;
  }
  std::string line = std::string(token.reveal()) + "\n";
  auto written = write_file_durably(token_file, line, 0600);
  wipe(line);
  if (!written) return written;
  return write_file_durably(options.config, config, 0600);
}

/// Whether systemd runs here and has our unit.
bool has_service() {
  if (std::error_code ignored; !std::filesystem::exists("/run/systemd/system", ignored)) return false;
  const auto shown = run_program({.argv = {"systemctl", "cat", kService}});
  return shown && shown->ok();
}

int start_service(const EnrollOptions& enroll, const Options& options, const std::string& approve) {
  const bool default_config = options.config == Options{}.config;
  const auto by_hand =
      default_config ? std::string("dryad") : fmt::format("dryad --config {}", options.config.native());
  const bool service = default_config && has_service();
  if (!enroll.start || !service) {
    say("next",
        service ? fmt::format("start it: systemctl enable --now {}", kService) : fmt::format("start it: {}", by_hand));
    say("then", approve);
    return kExitOk;
  }
  for (const auto* what : {"enable", "restart"}) {
    if (auto done = run_or_say_why({.argv = {"systemctl", what, kService}}); !done) {
      say("wrong", fmt::format("{}: journalctl -u {} tells why", done.error(), kService));
      return kExitFault;
    }
  }
  say("start", fmt::format("{}, now and at every boot", kService));
  say("next", approve);
  return kExitOk;
}

}  // namespace

std::string enrolled_config(const EnrollOptions& enroll, const Options& options, const std::string& uuid,
                            const std::filesystem::path& token_file) {
  toml::table table;
  table.emplace("boruta_address", format_host_port(enroll.server.host, enroll.server.port.value_or(kBorutaPort)));
  table.emplace("token_file", token_file.native());
  table.emplace("access", enroll.access);
  if (options.ca_file) table.emplace("ca_file", std::filesystem::absolute(*options.ca_file).native());
  if (options.state_dir) table.emplace("state_dir", std::filesystem::absolute(*options.state_dir).native());
  if (!enroll.ssh_address.empty()) table.emplace("ssh_address", enroll.ssh_address);
  toml::table caps;
  for (const auto& [key, value] : enroll.caps) caps.insert_or_assign(key, value);
  caps.insert_or_assign(std::string(kUuidCap), uuid);
  table.emplace("caps", std::move(caps));
  if (!enroll.groups.empty()) {
    toml::array groups;
    for (const auto& group : enroll.groups) groups.push_back(group);
    table.emplace("user", toml::table{{"groups", std::move(groups)}});
  }
  std::ostringstream text;
  text
      << "# Config of dryad, the agent of this Boruta worker, as `dryad enroll` wrote it. `dryad check` looks whether\n"
         "# all is well; [caps] may change at any time: systemctl reload dryad. The UUID must stay.\n"
      << toml::toml_formatter(table, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings)
      << "\n";
  return text.str();
}

int run_enroll(const EnrollOptions& enroll, const Options& options) {
  auto token = take_token(enroll, options);
  if (!token) return fail(kExitUsage, token.error());
  const auto uuid = choose_uuid(enroll, options);
  if (!uuid) return fail(kExitConfig, uuid.error());
  const auto token_file = std::filesystem::absolute(options.config).parent_path() / "dryad.token";
  const auto text = enrolled_config(enroll, options, *uuid, token_file);
  const auto config = parse_config(text, options.config, ::geteuid() == 0);
  if (!config) return fail(kExitUsage, config.error().front());
  if (const auto refused = refused_by_server(enroll, options, *token, *uuid)) return *refused;
  if (auto written = write_files(options, token_file, *token, text); !written) {
    return fail(kExitConfig,
                fmt::format("{} (as root it would go; --config FILE names another place)", written.error()));
  }
  say("wrote", fmt::format("{}, for its owner alone", token_file.native()));
  say("wrote", fmt::format("{}: {}", options.config.native(), format_caps(config->caps)));
  const int code = run_check(ConfigFile{.config = *config, .text = text}, options.config);
  const auto name = enroll.caps.find("name");
  const auto approve = fmt::format("an admin lets it serve: boruta workers approve {}",
                                   name == enroll.caps.end() ? *uuid : name->second);
  if (code == kExitOk || enroll.offline) return start_service(enroll, options, approve);
  say("next", "mend what is wrong above, look again with `dryad check`, then: systemctl enable --now dryad");
  say("then", approve);
  return code;
}

}  // namespace boruta::dryad
