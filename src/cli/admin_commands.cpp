#include <CLI/App.hpp>
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "cli/commands.hpp"
#include "cli/quoting.hpp"
#include "cli/text.hpp"
#include "cli/views.hpp"

namespace boruta::cli {
namespace {

struct NoArguments {};

struct UserArguments {
  std::string name;
  std::vector<std::string> groups;
  bool admin = false;
  bool none = false;
};

struct TokenArguments {
  std::string text;
};

Task<int> list_users(Session* session, NoArguments /*none*/) {
  const auto users = session->need(co_await session->api().list_users());
  if (session->json()) {
    session->print_line(users.json);
  } else {
    session->print(users_table(users.value).render(session->terminal().colour));
  }
  co_return 0;
}

/// The token alone on standard output, for a pipe into whatever keeps it.
void print_token(const Session& session, const client::Reply<client::IssuedToken>& issued, std::string_view what) {
  if (session.json()) {
    session.print_line(issued.json);
    return;
  }
  session.note(fmt::format("{}; this is the token, shown this once:", what));
  session.print_line(issued.value.token.reveal());
}

/// A creation whose answer is lost may have been made: nobody can tell from here, and its token is lost with the
/// answer.
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

Task<int> add_user(Session* session, UserArguments arguments) {
  client::NewUser user;
  user.name = arguments.name;
  user.groups = arguments.groups;
  normalize(user.groups);
  if (arguments.admin) user.role = "admin";
  auto answer = co_await session->api().add_user(std::move(user));
  const auto issued = need_created(session, std::move(answer), fmt::format("user {}", printable(arguments.name)),
                                   fmt::format("`boruta users` tells; if so, `boruta users delete {}` and add it anew",
                                               printable(quote_word(arguments.name))));
  print_token(*session, issued,
              fmt::format("{} {} is added", arguments.admin ? "admin" : "user", printable(arguments.name)));
  co_return 0;
}

Task<int> set_user_groups(Session* session, UserArguments arguments) {
  if (arguments.groups.empty() != arguments.none) {
    throw CliError(ExitCode::kUsage, "either groups or --none is needed", "boruta users groups alice kernel ci");
  }
  normalize(arguments.groups);
  session->need(co_await session->api().set_user_groups(arguments.name, arguments.groups));
  session->print_line(arguments.groups.empty() ? fmt::format("{} is in no group", printable(arguments.name))
                                               : fmt::format("{} is in {}", printable(arguments.name),
                                                             printable(join_and(arguments.groups))));
  co_return 0;
}

Task<int> delete_user(Session* session, UserArguments arguments) {
  session->need(co_await session->api().delete_user(arguments.name));
  session->print_line(fmt::format("user {} is deleted, with all tokens and open requests", printable(arguments.name)));
  co_return 0;
}

Task<int> list_tokens(Session* session, NoArguments /*none*/) {
  const auto tokens = session->need(co_await session->api().list_tokens());
  if (session->json()) {
    session->print_line(tokens.json);
  } else {
    session->print(tokens_table(tokens.value, session->now()).render(session->terminal().colour));
  }
  co_return 0;
}

Task<int> add_worker_token(Session* session, TokenArguments arguments) {
  auto answer = co_await session->api().add_worker_token(arguments.text);
  const auto issued = need_created(session, std::move(answer), fmt::format("token {}", printable(arguments.text)),
                                   "`boruta tokens` tells; if so, `boruta tokens revoke ID` and make another");
  print_token(*session, issued, fmt::format("a token for one worker, named {}, is made", printable(arguments.text)));
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

void add_user_commands(CLI::App* app, CommandLine* line) {
  auto nothing = std::make_shared<NoArguments>();
  auto user = std::make_shared<UserArguments>();
  auto* users = add_command(app, "users", "List and change who may use the farm", "boruta users");
  users->require_subcommand(0, 1);
  on_chosen(add_command(users, "list", "List all users", "boruta users list"), line, nothing, &list_users);

  auto* add = add_command(users, "add", "Add a user, and print the token", "boruta users add alice --group kernel");
  add->add_option("NAME", user->name, "Name of the user")->required()->option_text(" ");
  add->add_option("--group", user->groups, "Groups of the user")->option_text("GROUP...");
  add->add_flag("--admin", user->admin, "May do everything");
  on_chosen(add, line, user, &add_user);

  auto* groups = add_command(users, "groups", "Set the groups of a user", "boruta users groups alice kernel ci");
  groups->add_option("NAME", user->name, "Name of the user")->required()->option_text(" ");
  groups->add_option("GROUP", user->groups, "Groups, instead of those that there are")->option_text("...");
  groups->add_flag("--none", user->none, "No groups");
  on_chosen(groups, line, user, &set_user_groups);

  auto* remove =
      add_command(users, "delete", "Delete a user, with all tokens and open requests", "boruta users delete alice");
  remove->add_option("NAME", user->name, "Name of the user")->required()->option_text(" ");
  on_chosen(remove, line, user, &delete_user);
  on_chosen(users, line, nothing, &list_users);
}

void add_token_commands(CLI::App* app, CommandLine* line) {
  auto nothing = std::make_shared<NoArguments>();
  auto token = std::make_shared<TokenArguments>();
  auto* tokens = add_command(app, "tokens", "List, make and revoke tokens", "boruta tokens");
  tokens->require_subcommand(0, 1);
  on_chosen(add_command(tokens, "list", "List all tokens", "boruta tokens list"), line, nothing, &list_tokens);

  auto* add = add_command(tokens, "add-worker", "Make a token for a new worker's dryad, and print it",
                          "boruta tokens add-worker rpi4-05 > rpi4-05.token");
  add->add_option("NAME", token->text, "What the token is called")->required()->option_text(" ");
  on_chosen(add, line, token, &add_worker_token);

  auto* revoke = add_command(tokens, "revoke", "Have a token admit nobody any more", "boruta tokens revoke 7");
  revoke->add_option("ID", token->text, "Number of the token")->required()->option_text(" ");
  on_chosen(revoke, line, token, &revoke_token);
  on_chosen(tokens, line, nothing, &list_tokens);
}

}  // namespace

void add_admin_commands(CLI::App* app, CommandLine* line) {
  add_user_commands(app, line);
  add_token_commands(app, line);
}

}  // namespace boruta::cli
