#include <CLI/App.hpp>
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/limits.hpp"
#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/lists.hpp"
#include "cli/text.hpp"
#include "cli/views.hpp"

namespace boruta::cli {

void print_token(const Session& session, const client::Reply<client::IssuedToken>& issued, std::string_view what) {
  if (session.json()) {
    session.print_line(issued.json);
    return;
  }
  session.note(fmt::format("{}; this is the token, shown this once:", what));
  session.print_line(issued.value.token.reveal());
}

client::Reply<client::IssuedToken> need_created(Session* session,
                                                client::Answer<client::Reply<client::IssuedToken>> answer,
                                                std::string_view what, const std::string& check) {
  if (!answer && client::may_have_acted(answer.error())) {
    throw CliError(ExitCode::kUnreachable,
                   fmt::format("{}; {} may have been made all the same", session->describe(answer.error()), what),
                   check);
  }
  return session->need(std::move(answer));
}

namespace {

struct NoArguments {};

struct TokenArguments {
  /// A name, or a number.
  std::string text;
  std::string user;
  std::string expires;
  std::uint32_t workers = 0;
  bool reusable = false;
  bool in_service = false;
};

Task<int> list_tokens(Session* session, NoArguments /*none*/) {
  const auto tokens = session->need(co_await session->api().list_tokens());
  const auto tabulate = [now = session->now()](const auto& listed) { return tokens_table(listed, now); };
  co_return print_list(*session, tokens, tabulate, "there are no tokens");
}

client::NewToken new_token(const Session& session, const TokenArguments& arguments) {
  client::NewToken token;
  token.name = arguments.text;
  token.user = arguments.user;
  if (!arguments.expires.empty()) {
    token.expires = need_argument(parse_when("--expires", arguments.expires, session.now()));
  }
  return token;
}

Task<client::Reply<client::IssuedToken>> make_token(Session* session, client::NewToken token) {
  const auto what = fmt::format("token {}", printable(token.name));
  auto answer = co_await session->api().add_token(std::move(token));
  co_return need_created(session, std::move(answer), what,
                         "`boruta tokens` tells; if so, `boruta tokens revoke ID` and make another");
}

Task<int> add_token(Session* session, TokenArguments arguments) {
  auto token = new_token(*session, arguments);
  const auto issued = co_await make_token(session, std::move(token));
  print_token(*session, issued,
              fmt::format("a token named {} is made{}", printable(arguments.text),
                          arguments.user.empty() ? "" : fmt::format(" for {}", printable(arguments.user))));
  co_return 0;
}

Task<int> add_worker_token(Session* session, TokenArguments arguments) {
  auto token = new_token(*session, arguments);
  token.role = "worker";
  token.reusable = arguments.reusable || arguments.workers > 0;
  if (arguments.workers > 0) token.max_workers = arguments.workers;
  token.in_service = arguments.in_service;
  const auto issued = co_await make_token(session, std::move(token));
  const auto whose = arguments.workers > 0 ? fmt::format("at most {}", plural(arguments.workers, "worker", "workers"))
                     : arguments.reusable  ? std::string("any number of workers")
                                           : std::string("one worker");
  print_token(*session, issued, fmt::format("a token for {}, named {}, is made", whose, printable(arguments.text)));
  co_return 0;
}

Task<int> revoke_token(Session* session, TokenArguments arguments) {
  std::uint64_t id = 0;
  const auto& text = arguments.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) {
    // Not repeated: it may be the token itself.
    throw CliError(ExitCode::kUsage, "the number of a token is needed, not the token", "`boruta tokens` lists them");
  }
  session->need(co_await session->api().revoke_token(id));
  session->print_line(fmt::format("token {} is revoked", id));
  co_return 0;
}

void add_expiry(CLI::App* command, TokenArguments& token) {
  command->add_option("--expires", token.expires, "When it opens nothing any more: \"90d\", \"2030-01-02\", RFC 3339")
      ->option_text("TIME");
}

void add_worker_token_command(CLI::App* tokens, CommandLine* line) {
  auto token = std::make_shared<TokenArguments>();
  auto* add = add_command(tokens, "add-worker", "Make a token for a new worker's dryad, and print it",
                          "boruta tokens add-worker rpi4-05 > rpi4-05.token\n"
                          "  boruta tokens add-worker rack-7 --workers 12 --in-service --expires 7d");
  add->add_option("NAME", token->text, "What the token is called")->required()->option_text(" ");
  add->add_flag("--reusable", token->reusable, "Admits any worker, not only the first that uses it");
  add->add_option("--workers", token->workers, "Admits so many different workers")
      ->check(CLI::Range(1U, limits::kWorkersOfToken))
      ->option_text("N");
  add->add_flag("--in-service", token->in_service, "New workers go into service at once, not into maintenance");
  add_expiry(add, *token);
  on_chosen(add, line, token, &add_worker_token);
}

}  // namespace

void add_token_commands(CLI::App* app, CommandLine* line) {
  auto nothing = std::make_shared<NoArguments>();
  auto* tokens = add_command(app, "tokens", "List, make and revoke tokens", "boruta tokens");
  tokens->require_subcommand(0, 1);
  on_chosen(add_command(tokens, "list", "List all tokens", "boruta tokens list"), line, nothing, &list_tokens);

  auto own = std::make_shared<TokenArguments>();
  auto* add = add_command(tokens, "add", "Make a further token for yourself or, as admin, for another user",
                          "boruta tokens add ci --expires 90d\n  boruta tokens add laptop --user alice");
  add->add_option("NAME", own->text, "What the token is called")->required()->option_text(" ");
  add->add_option("--user", own->user, "Whose it is, instead of yours")->option_text("NAME");
  add_expiry(add, *own);
  on_chosen(add, line, own, &add_token);
  add_worker_token_command(tokens, line);

  auto old = std::make_shared<TokenArguments>();
  auto* revoke = add_command(tokens, "revoke", "Have a token admit nobody any more", "boruta tokens revoke 7");
  revoke->add_option("ID", old->text, "Number of the token")->required()->option_text(" ");
  on_chosen(revoke, line, old, &revoke_token);
  on_chosen(tokens, line, nothing, &list_tokens);
}

}  // namespace boruta::cli
