#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/lists.hpp"
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

struct CeilingArguments {
  std::string name;
  std::string priority;
  std::string running;
  std::string waiting;
};

Task<int> list_users(Session* session, NoArguments /*none*/) {
  const auto users = session->need(co_await session->api().list_users());
  co_return print_list(*session, users, &users_table, "nobody may use the farm");
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

/// The number, or nothing for "none".
template <class Number>
std::optional<Number> parse_ceiling(std::string_view option, const std::string& text, Number least, Number most) {
  if (text == "none") return std::nullopt;
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    throw CliError(ExitCode::kUsage, fmt::format("{} is \"{}\": a number from {} to {} is expected, or none", option,
                                                 printable(text), least, most));
  }
  return number;
}

/// What is not given stays as it is.
client::Ceilings change_ceilings(client::Ceilings ceilings, const CeilingArguments& arguments) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();
  if (arguments.priority.empty() && arguments.running.empty() && arguments.waiting.empty()) {
    throw CliError(ExitCode::kUsage, "at least one of --priority, --running and --waiting is needed");
  }
  if (!arguments.priority.empty()) {
    ceilings.priority =
        parse_ceiling("--priority", arguments.priority, limits::kHighestPriority, limits::kLowestPriority);
  }
  if (!arguments.running.empty()) ceilings.running = parse_ceiling("--running", arguments.running, 0U, kMost);
  if (!arguments.waiting.empty()) ceilings.waiting = parse_ceiling("--waiting", arguments.waiting, 0U, kMost);
  return ceilings;
}

void print_ceilings(const Session& session, std::string_view whose, const client::Ceilings& ceilings) {
  const auto text = describe_ceilings(ceilings);
  session.print_line(text.empty() ? fmt::format("{} has no ceilings", printable(whose))
                                  : fmt::format("{} may have at most: {}", printable(whose), text));
}

Task<int> set_user_ceilings(Session* session, CeilingArguments arguments) {
  const auto users = session->need(co_await session->api().list_users()).value;
  const auto user = std::ranges::find(users, arguments.name, &client::Identity::name);
  const auto ceilings = change_ceilings(user == users.end() ? client::Ceilings{} : user->ceilings, arguments);
  session->need(co_await session->api().set_user_ceilings(arguments.name, ceilings));
  print_ceilings(*session, arguments.name, ceilings);
  co_return 0;
}

Task<int> set_group_ceilings(Session* session, CeilingArguments arguments) {
  const auto groups = session->need(co_await session->api().list_groups()).value;
  const auto group = std::ranges::find(groups, arguments.name, &client::GroupInfo::name);
  const auto ceilings = change_ceilings(group == groups.end() ? client::Ceilings{} : group->ceilings, arguments);
  session->need(co_await session->api().set_group_ceilings(arguments.name, ceilings));
  print_ceilings(*session, fmt::format("group {}", arguments.name), ceilings);
  co_return 0;
}

Task<int> list_groups(Session* session, NoArguments /*none*/) {
  const auto groups = session->need(co_await session->api().list_groups());
  co_return print_list(*session, groups, &groups_table, "nobody is in a group");
}

void add_ceilings(CLI::App* command, CeilingArguments& ceilings, const char* whose) {
  command->add_option("NAME", ceilings.name, whose)->required()->option_text(" ");
  command->add_option("--priority", ceilings.priority, "The most important priority that may be asked for, or none")
      ->option_text("1..16");
  command->add_option("--running", ceilings.running, "Jobs at one time, or none: what is beyond waits")
      ->option_text("N");
  command->add_option("--waiting", ceilings.waiting, "Waiting requests at one time, or none: what is beyond is refused")
      ->option_text("N");
}

void add_group_commands(CLI::App* app, CommandLine* line) {
  auto nothing = std::make_shared<NoArguments>();
  auto ceilings = std::make_shared<CeilingArguments>();
  auto* groups = add_command(app, "groups", "List groups of users, and limit them", "boruta groups");
  groups->require_subcommand(0, 1);
  on_chosen(add_command(groups, "list", "List all groups", "boruta groups list"), line, nothing, &list_groups);
  auto* limit = add_command(groups, "ceilings", "Limit what all users of a group have together",
                            "boruta groups ceilings kernel --running 5");
  add_ceilings(limit, *ceilings, "Name of the group");
  on_chosen(limit, line, ceilings, &set_group_ceilings);
  on_chosen(groups, line, nothing, &list_groups);
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

  auto ceilings = std::make_shared<CeilingArguments>();
  auto* limit = add_command(users, "ceilings", "Limit what a user may have",
                            "boruta users ceilings alice --priority 4 --running 3 --waiting none");
  add_ceilings(limit, *ceilings, "Name of the user");
  on_chosen(limit, line, ceilings, &set_user_ceilings);

  auto* remove =
      add_command(users, "delete", "Delete a user, with all tokens and open requests", "boruta users delete alice");
  remove->add_option("NAME", user->name, "Name of the user")->required()->option_text(" ");
  on_chosen(remove, line, user, &delete_user);
  on_chosen(users, line, nothing, &list_users);
}

}  // namespace

void add_admin_commands(CLI::App* app, CommandLine* line) {
  add_user_commands(app, line);
  add_group_commands(app, line);
  add_token_commands(app, line);
  add_key_commands(app, line);
  add_audit_commands(app, line);
}

}  // namespace boruta::cli
