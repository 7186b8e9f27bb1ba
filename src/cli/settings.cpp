#include "cli/settings.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bearer_token.hpp"

namespace boruta::cli {
namespace {

constexpr std::string_view kDefaultUrl = "http://127.0.0.1:8487";

std::string reason() { return std::strerror(errno); }

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

std::string to_toml(const StoredLogin& login) {
  toml::table table{{"url", login.url}};
  if (!login.token.empty()) table.insert("token", std::string(login.token.reveal()));
  if (!login.ca.empty()) table.insert("ca", login.ca);
  std::ostringstream text;
  text << "# Written by `boruta login`. The token is as good as your password.\n" << table << "\n";
  return text.str();
}

/// Writes all of `text` and has it reach the disk.
bool write_durably(int file, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(file) == 0;
}

std::expected<Secret, std::string> find_token(const Flags& flags, const Environment& environment,
                                              const std::optional<StoredLogin>& stored, const client::ServerUrl& url) {
  if (!flags.token_file.empty()) return read_token_file(flags.token_file);
  if (const auto token = environment("BORUTA_TOKEN")) return Secret(trimmed(*token));
  if (!stored) return Secret();
  const auto stored_url = client::parse_server_url(stored->url);
  return stored_url && *stored_url == url ? stored->token : Secret();
}

}  // namespace

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

std::expected<std::filesystem::path, std::string> login_path(const Environment& environment) {
  // A relative XDG_CONFIG_HOME is to be ignored, says its specification.
  if (const auto xdg = environment("XDG_CONFIG_HOME"); xdg && xdg->starts_with('/')) {
    return std::filesystem::path(*xdg) / "boruta" / "config.toml";
  }
  if (const auto home = environment("HOME")) {
    return std::filesystem::path(*home) / ".config" / "boruta" / "config.toml";
  }
  return std::unexpected("neither XDG_CONFIG_HOME nor HOME says where the login is kept");
}

std::expected<std::optional<StoredLogin>, std::string> load_login(const std::filesystem::path& path) {
  const std::ifstream file(path);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return std::unexpected(fmt::format("{}: {}", path.native(), reason()));
  }
  std::ostringstream text;
  text << file.rdbuf();
  try {
    const auto table = toml::parse(text.str());
    StoredLogin login;
    login.url = table["url"].value_or(std::string());
    login.token = Secret(table["token"].value_or(std::string()));
    login.ca = table["ca"].value_or(std::string());
    return login;
  } catch (const toml::parse_error& error) {
    // Not its description, which may quote the token.
    return std::unexpected(
        fmt::format("{}:{}: not TOML; `boruta login` writes it anew", path.native(), error.source().begin.line));
  }
}

std::expected<void, std::string> save_login(const std::filesystem::path& path, const StoredLogin& login) {
  const auto folder = path.parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(fmt::format("{}: {}", folder.native(), reason()));
  }
  auto temporary = (folder / ".config.toml.XXXXXX").native();
  const int file = ::mkostemp(temporary.data(), O_CLOEXEC);  // made with mode 0600
  if (file < 0) return std::unexpected(fmt::format("{}: {}", folder.native(), reason()));
  auto text = to_toml(login);
  const bool written = write_durably(file, text);
  wipe(text);
  ::close(file);
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    auto message = fmt::format("{}: {}", path.native(), reason());
    ::unlink(temporary.c_str());
    return std::unexpected(std::move(message));
  }
  return {};
}

std::expected<Settings, std::string> resolve_settings(const Flags& flags, const Environment& environment,
                                                      const std::optional<StoredLogin>& stored) {
  std::string_view source = "--url";
  std::string text = flags.url;
  if (text.empty()) {
    source = "BORUTA_URL";
    text = environment("BORUTA_URL").value_or("");
  }
  if (text.empty()) {
    source = "the stored login";
    text = stored ? stored->url : "";
  }
  const auto url = client::parse_server_url(text.empty() ? kDefaultUrl : text);
  if (!url) return std::unexpected(fmt::format("{}: {}", source, url.error()));
  Settings settings;
  settings.url = *url;
  auto token = find_token(flags, environment, stored, *url);
  if (!token) return std::unexpected(std::move(token.error()));
  if (!token->empty() && !is_token(token->reveal())) {
    return std::unexpected("the token has characters that no token has");
  }
  settings.token = std::move(*token);
  settings.ca = !flags.ca.empty() ? flags.ca : environment("BORUTA_CA").value_or(stored ? stored->ca : "");
  return settings;
}

std::expected<Secret, std::string> read_token_file(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file) return std::unexpected(fmt::format("{}: {}", path, reason()));
  std::getline(file, line);
  line = trimmed(line);
  if (line.empty()) return std::unexpected(fmt::format("{}: no token in its first line", path));
  return Secret(std::move(line));
}

}  // namespace boruta::cli
