#include "cli/session.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "cli/text.hpp"

namespace boruta::cli {
namespace {

std::string hint_for(const client::ApiError& error, const std::string& url) {
  if (error.kind == client::ErrorKind::kTls) return "--ca FILE or BORUTA_CA names the CA to trust";
  if (error.status == 401) return fmt::format("boruta login {}", url);
  if (error.kind == client::ErrorKind::kUnreachable) {
    return "`boruta login URL`, BORUTA_URL or --url says where the server is";
  }
  return {};
}

}  // namespace

Session::Session(asio::any_io_executor executor, Globals globals)
    : executor_(std::move(executor)),
      globals_(std::move(globals)),
      terminal_(find_terminal()),
      clock_(runtime::make_system_clock(Instant{})) {}

const Settings& Session::settings() {
  if (settings_) return *settings_;
  const auto environment = process_environment();
  std::optional<StoredLogin> stored;
  if (const auto path = login_path(environment)) {
    auto loaded = load_login(*path);
    if (!loaded) throw CliError(ExitCode::kInternal, loaded.error());
    stored = std::move(*loaded);
  }
  auto resolved = resolve_settings(globals_.flags, environment, stored);
  if (!resolved) throw CliError(ExitCode::kUsage, resolved.error());
  settings_ = std::move(*resolved);
  return *settings_;
}

client::ClientOptions Session::client_options() {
  client::ClientOptions options;
  options.url = settings().url;
  options.token = settings().token;
  options.ca_file = settings().ca;
  return options;
}

std::unique_ptr<client::Client> Session::make_client(Duration limit) {
  auto options = client_options();
  options.answer_limit = limit;
  return need(client::Client::make(executor_, std::move(options)));
}

std::unique_ptr<client::EventStream> Session::make_event_stream(client::EventSelection selection) {
  return need(client::EventStream::make(executor_, client_options(), std::move(selection)));
}

client::Client& Session::api() {
  if (!client_) client_ = make_client();
  return *client_;
}

std::string Session::describe(const client::ApiError& error) {
  const auto url = format_url(settings().url);
  auto message = printable(error.message);
  switch (error.kind) {
    case client::ErrorKind::kUnreachable:
      return fmt::format("cannot reach {}: {}", url, message);
    case client::ErrorKind::kTls:
    case client::ErrorKind::kProtocol:
      return fmt::format("{}: {}", url, message);
    case client::ErrorKind::kRefused:
      break;
  }
  if (error.status == 401) {
    return settings().token.empty() ? fmt::format("not logged in at {}", url)
                                    : fmt::format("{} does not accept the token: {}", url, message);
  }
  return message;
}

void Session::fail(const client::ApiError& error) {
  throw CliError(exit_code_of(error), describe(error), hint_for(error, format_url(settings().url)));
}

void Session::print(std::string_view text) const { std::fwrite(text.data(), 1, text.size(), stdout); }

void Session::print_line(std::string_view text) const {
  print(text);
  if (!text.ends_with('\n')) print("\n");
}

void Session::note(std::string_view line) const {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace boruta::cli
