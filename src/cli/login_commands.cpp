#include <CLI/App.hpp>
#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <utility>

#include "base/bearer_token.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "cli/version.hpp"
#include "cli/views.hpp"

namespace boruta::cli {
namespace {

struct LoginArguments {
  std::string url;
};

struct NoArguments {};

bool is_this_machine(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return host == "localhost" || (!error && address.is_loopback());
}

Secret take_token(const Session& session) {
  const auto& file = session.globals().flags.token_file;
  if (!file.empty()) {
    auto token = read_token_file(file);
    if (!token) throw CliError(ExitCode::kUsage, token.error());
    return std::move(*token);
  }
  std::optional<Secret> line;
  if (session.terminal().input) {
    line = ask_secret("Token (nothing if the server needs none): ");
  } else {
    std::string text;
    if (std::getline(std::cin, text)) line = Secret(std::move(text));
  }
  const auto text = line ? line->reveal() : std::string_view();
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return Secret(std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1)));
}

std::string absolute_ca(const std::string& ca) {
  if (ca.empty()) return {};
  std::error_code error;
  auto path = std::filesystem::absolute(ca, error);
  return error ? ca : path.native();
}

Task<int> login(Session* session, LoginArguments arguments) {
  const auto url = client::parse_server_url(arguments.url);
  if (!url) throw CliError(ExitCode::kUsage, url.error());
  const auto path = login_path(process_environment());
  if (!path) throw CliError(ExitCode::kInternal, path.error());
  auto token = take_token(*session);
  if (!token.empty() && !is_token(token.reveal()))
    throw CliError(ExitCode::kUsage, "that is not a token: it has spaces or letters that none has");
  auto ca = session->globals().flags.ca;
  if (ca.empty()) ca = process_environment()("BORUTA_CA").value_or("");
  ca = absolute_ca(ca);
  Settings settings{.url = *url, .token = token, .ca = ca};
  session->use(std::move(settings));
  const auto who = session->need(co_await session->api().whoami());
  const StoredLogin stored{.url = format_url(*url), .token = token, .ca = ca};
  if (const auto saved = save_login(*path, stored); !saved) throw CliError(ExitCode::kInternal, saved.error());
  if (!url->tls && !token.empty() && !is_this_machine(url->host)) {
    session->note("boruta: without https the token can be read by whoever listens on the way");
  }
  session->print_line(session->json() ? who.json
                                      : fmt::format("logged in at {} as {}", stored.url, describe_identity(who.value)));
  co_return 0;
}

Task<int> logout(Session* session, NoArguments /*none*/) {
  const auto path = login_path(process_environment());
  if (!path) throw CliError(ExitCode::kInternal, path.error());
  std::error_code error;
  const bool removed = std::filesystem::remove(*path, error);
  if (error) throw CliError(ExitCode::kInternal, fmt::format("{}: {}", path->native(), error.message()));
  session->note(removed ? "logged out; the token itself stays valid until it is revoked" : "you were not logged in");
  co_return 0;
}

Task<int> whoami(Session* session, NoArguments /*none*/) {
  const auto who = session->need(co_await session->api().whoami());
  session->print_line(session->json() ? who.json : describe_identity(who.value));
  co_return 0;
}

Task<int> version(Session* session, NoArguments /*none*/) {
  if (!session->json()) session->print_line(fmt::format("boruta {}", kVersion));
  const auto server = session->need(co_await session->api().version());
  session->print_line(session->json()
                          ? server.json
                          : fmt::format("server {} at {} · API {} {}", printable(server.value.server),
                                        format_url(session->settings().url), printable(server.value.api_version),
                                        printable(server.value.api_state)));
  co_return 0;
}

}  // namespace

void add_login_commands(CLI::App* app, CommandLine* line) {
  auto arguments = std::make_shared<LoginArguments>();
  auto nothing = std::make_shared<NoArguments>();
  auto* in =
      add_command(app, "login", "Remember a server and your token, which is asked for or read from standard input",
                  "boruta login https://farm.example --ca farm-ca.pem");
  in->add_option("URL", arguments->url, "The server, like http://farm.example:8487")->required()->option_text(" ");
  on_chosen(in, line, arguments, &login);
  on_chosen(add_command(app, "logout", "Forget the server and the token", "boruta logout"), line, nothing, &logout);
  on_chosen(add_command(app, "whoami", "Show who the server takes you for", "boruta whoami"), line, nothing, &whoami);
  on_chosen(add_command(app, "version", "Show the versions of client and server", "boruta version"), line, nothing,
            &version);
}

}  // namespace boruta::cli
