#include "dryad/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <unistd.h>

#include "dryad/exit_codes.hpp"
#include "dryad/files.hpp"
#include "dryad/instance.hpp"
#include "dryad/probe.hpp"
#include "dryad/run_as.hpp"
#include "dryad/setup.hpp"
#include "dryad/sshd_check.hpp"
#include "dryad/state.hpp"
#include "dryad/users.hpp"

namespace boruta::dryad {
namespace {

using Verdict = std::expected<std::string, std::string>;

constexpr std::chrono::seconds kServerLimit{10};
/// Logs of both sides are hard to read together beyond it, and certificates may not be valid (yet).
constexpr std::chrono::seconds kSkewLimit{10};

/// Prints findings as they come, and keeps the code of the first that is wrong.
class Findings {
 public:
  void ok(const char* what, const std::string& text) { line("ok", what, text); }
  void note(const char* what, const std::string& text) { line("note", what, text); }
  void wrong(const char* what, const std::string& text, int exit_code) {
    line("wrong", what, text);
    if (code_ == kExitOk) code_ = exit_code;
  }
  void add(const char* what, const Verdict& verdict, int exit_code) {
    verdict ? ok(what, *verdict) : wrong(what, verdict.error(), exit_code);
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  static void line(const char* verdict, const char* what, const std::string& text) {
    fmt::print("{:<6} {:<8} {}\n", verdict, what, text);
    (void)std::fflush(stdout);
  }

  int code_ = kExitOk;
};

/// What an agent that was root left lies where it left it until the next start.
std::filesystem::path state_file_of(const Config& config) {
  const auto file = agent_dir(config) / "state.json";
  std::error_code ignored;
  return std::filesystem::exists(file, ignored) ? file : config.state_dir / "state.json";
}

/// What marks the accounts of this worker; empty: none was made yet.
std::expected<std::string, std::string> instance_of(const Config& config) {
  const auto kept = read_instance(config.state_dir);
  if (!kept) return std::unexpected(kept.error());
  if (*kept) return **kept;
  const auto state = FileStateStore(state_file_of(config)).load();
  return state && *state ? (*state)->instance : "";
}

Verdict check_state(const Config& config) {
  const auto state = FileStateStore(state_file_of(config)).load();
  if (!state) return std::unexpected(state.error());
  return fmt::format("{}{}", config.state_dir.native(),
                     StateDirLock::is_taken(config.state_dir) ? ", in use by the dryad that runs" : "");
}

Verdict check_access(const Config& config) {
  const auto instance = instance_of(config);
  if (!instance) return std::unexpected(instance.error());
  RepeatedKeys unused(1);
  const auto access = make_access(config, *instance, unused);
  if (const auto fit = access->check(); !fit) return std::unexpected(fit.error());
  if (config.access == AccessMode::kPrivate) return "private: fine";
  for (const auto& group : config.user_groups) {
    const auto known = has_group(group);
    if (!known) return std::unexpected(known.error());
    if (!*known) {
      return std::unexpected(
          fmt::format("user.groups: there is no group \"{0}\" here: groupadd {0}, or take it out", group));
    }
  }
  return "account: fine";
}

/// As whom the part runs that speaks with the network.
Verdict check_agent(const Config& config) {
  const auto account = agent_account(config);
  if (!account) return std::unexpected(account.error());
  return fmt::format("runs as {} (uid {})", account->name, account->uid);
}

/// A program that can't be run; nothing if all can.
std::string broken_program(const BoardOptions& board) {
  for (const auto& program : kBoardPrograms) {
    const auto& argv = board.*program.argv;
    if (argv.empty() || argv.front().find('/') == std::string::npos) continue;
    if (::access(argv.front().c_str(), X_OK) != 0) return errno_text(argv.front(), errno);
  }
  return {};
}

void check_board(const Config& config, Findings& findings) {
  const auto& driver = config.board.driver;
  const auto board = make_board(config.board);
  if (!board) {
    findings.wrong("board", board.error(), kExitConfig);
    return;
  }
  if (auto broken = broken_program(config.board); !broken.empty()) {
    findings.wrong("board", broken + ": install it, or correct [board]", kExitConfig);
    return;
  }
  if (StateDirLock::is_taken(config.state_dir)) {
    // Two that speak to the hardware at once could disturb each other, and a job.
    findings.ok("board", driver + ": the dryad that runs looks after it");
    return;
  }
  const auto health = (*board)->healthcheck(false, {});
  if (health) {
    findings.ok("board", driver + ": fine");
  } else if (health.error().critical) {
    findings.wrong("board", fmt::format("{}: {}", driver, health.error().text), kExitUnfit);
  } else {
    findings.note("board", fmt::format("{} warns: {}", driver, health.error().text));
  }
}

std::string skew_text(std::chrono::microseconds ahead) {
  const auto size = std::chrono::abs(ahead);
  const auto text = size < std::chrono::seconds(1)
                        ? fmt::format("{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(size).count())
                        : format_duration_spaced(std::chrono::duration_cast<std::chrono::seconds>(size));
  return fmt::format("{} {} the server's", text, ahead.count() < 0 ? "behind" : "ahead of");
}

/// The server, and what only it knows: whether the token is good, and what time it is.
void check_server(const Config& config, const std::optional<Secret>& token, Findings& findings) {
  const auto grpc = make_grpc_options(config.boruta, token.value_or(Secret()), config.ca_file);
  if (!grpc) {
    findings.wrong("server", "ca_file: " + grpc.error(), kExitConfig);
    return;
  }
  const auto answer = ask_server(*grpc, config.caps.at(std::string(kUuidCap)), kServerLimit);
  if (!answer) {
    findings.wrong("server",
                   fmt::format("{} does not answer: {}: is borutad up, agent_listen reachable from here, and "
                               "boruta_address right?",
                               grpc->address, answer.error()),
                   kExitFault);
    return;
  }
  findings.ok("server", grpc->address + " answers");
  if (!answer->can_tell) {
    findings.note("token", "not asked for: the server is too old to tell");
    return;
  }
  if (!token) {
    findings.note("token", "the server was not asked for it");
  } else if (answer->refusal.empty()) {
    findings.ok("token", "the server accepts it");
  } else {
    findings.wrong(
        "token",
        fmt::format("the server does not accept it: {}: `boruta workers enroll` makes another, into {}",
                    answer->refusal,
                    config.token_file.empty() ? "the file that token_file names" : config.token_file.native()),
        kExitUnfit);
  }
  const auto skew = skew_text(answer->ahead);
  findings.add("clock",
               std::chrono::abs(answer->ahead) <= kSkewLimit
                   ? Verdict(skew)
                   : std::unexpected(skew + ": have it set by NTP, like systemctl enable --now systemd-timesyncd"),
               kExitUnfit);
}

}  // namespace

int run_check(const ConfigFile& file, const std::filesystem::path& path) {
  const auto& config = file.config;
  Findings findings;
  for (const auto& warning : config.warnings) findings.note("config", warning);
  findings.ok("worker", format_caps(config.caps));
  findings.add("state", check_state(config), kExitFault);
  findings.add("access", check_access(config), kExitUnfit);
  if (config.access == AccessMode::kAccount) {
    const auto owned = check_config_owner(path);
    findings.add("config", owned ? Verdict("root's alone") : std::unexpected(owned.error()), kExitUnfit);
    findings.add("agent", check_agent(config), kExitUnfit);
  }
  const auto sshd = check_sshd(config);
  findings.add("sshd", sshd ? Verdict(config.sshd + ": fine") : std::unexpected(sshd.error()), kExitUnfit);
  check_board(config, findings);
  std::string warning;
  const auto token = read_token(config.token_file, warning);
  if (!token) {
    findings.wrong("token", token.error(), kExitConfig);
  } else if (!warning.empty()) {
    findings.wrong("token", warning, kExitUnfit);
  }
  check_server(config, token ? std::optional(*token) : std::nullopt, findings);
  return findings.code();
}

}  // namespace boruta::dryad
