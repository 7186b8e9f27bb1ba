#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/lists.hpp"
#include "cli/text.hpp"
#include "cli/views.hpp"
#include "runtime/files.hpp"

namespace boruta::cli {
namespace {

struct NoArguments {};

struct KeyArguments {
  /// A file, a number or a fingerprint.
  std::string text;
  std::string name;
  std::string user;
};

Task<int> list_keys(Session* session, NoArguments /*none*/) {
  const auto keys = session->need(co_await session->api().list_keys());
  const auto tabulate = [now = session->now()](const auto& listed) { return keys_table(listed, now); };
  co_return print_list(*session, keys, tabulate,
                       "there are no keys: each job gets one made for it; see `boruta keys add --help`");
}

/// What people call the key: the comment behind it, as far as it makes a name, else the file's name.
std::string name_for(std::string_view line, const std::string& file) {
  const auto fits = [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '.' || letter == '_' || letter == '-' || letter == '@';
  };
  const auto end = line.find_last_not_of(" \t\r\n") + 1;
  const auto space = line.substr(0, end).find_last_of(" \t");
  const bool has_comment = std::ranges::count(line.substr(0, end), ' ') > 1;
  auto name =
      has_comment ? std::string(line.substr(space + 1, end - space - 1)) : std::filesystem::path(file).stem().string();
  std::erase_if(name, [&](char letter) { return !fits(static_cast<unsigned char>(letter)); });
  return name.empty() ? "key" : name.substr(0, limits::kTokenNameBytes);
}

Task<int> add_key(Session* session, KeyArguments arguments) {
  constexpr std::size_t kMost = 2 * limits::kPublicKeyBytes;
  const auto line = runtime::read_file(arguments.text, kMost);
  if (!line) throw CliError(ExitCode::kUsage, line.error());
  // It must not even be sent.
  if (line->find("PRIVATE KEY") != std::string::npos) {
    throw CliError(ExitCode::kUsage,
                   fmt::format("{} is a private key, which stays with you", printable(arguments.text)),
                   fmt::format("boruta keys add {}.pub", printable(arguments.text)));
  }
  client::NewKey key;
  key.key = *line;
  key.name = arguments.name.empty() ? name_for(*line, arguments.text) : arguments.name;
  key.user = arguments.user;
  const auto name = key.name;
  const auto added = session->need(co_await session->api().add_key(std::move(key)));
  session->print_line(session->json() ? added.json
                                      : fmt::format("key {} is added as number {}: {}", printable(name), added.value.id,
                                                    printable(added.value.fingerprint)));
  co_return 0;
}

/// By its number or by its fingerprint.
Task<int> remove_key(Session* session, KeyArguments arguments) {
  std::uint64_t id = 0;
  const auto& text = arguments.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) {
    const auto keys = session->need(co_await session->api().list_keys()).value;
    const auto matches = [&](const client::KeyInfo& key) { return key.fingerprint == text; };
    const auto count = std::ranges::count_if(keys, matches);
    if (count != 1) {
      throw CliError(ExitCode::kRefused,
                     count == 0 ? "there is no such key" : "several users have that key: say which by its number",
                     "`boruta keys` lists them: a number or a fingerprint, SHA256:…, is needed");
    }
    id = std::ranges::find_if(keys, matches)->id;
  }
  session->need(co_await session->api().remove_key(id));
  session->print_line(fmt::format("key {} is removed", id));
  co_return 0;
}

}  // namespace

void add_key_commands(CLI::App* app, CommandLine* line) {
  auto nothing = std::make_shared<NoArguments>();
  auto* keys =
      add_command(app, "keys", "List, add and remove the public keys that open your jobs' workers", "boruta keys");
  keys->require_subcommand(0, 1);
  on_chosen(add_command(keys, "list", "List all keys", "boruta keys list"), line, nothing, &list_keys);

  auto fresh = std::make_shared<KeyArguments>();
  auto* add = add_command(keys, "add", "Register a public key: jobs that start from now on are opened by it",
                          "boruta keys add ~/.ssh/id_ed25519.pub");
  add->add_option("FILE", fresh->text, "Public key: Ed25519, ECDSA, or RSA of at least 2048 bits")
      ->required()
      ->option_text(" ");
  add->add_option("--name", fresh->name, "What it is called, instead of the comment in the file")->option_text("NAME");
  add->add_option("--user", fresh->user, "Whose it is, instead of yours; for admins")->option_text("NAME");
  on_chosen(add, line, fresh, &add_key);

  auto old = std::make_shared<KeyArguments>();
  auto* remove = add_command(keys, "remove", "Have a key open nothing any more", "boruta keys remove 3");
  remove->add_option("ID", old->text, "Number or fingerprint of the key")->required()->option_text(" ");
  on_chosen(remove, line, old, &remove_key);
  on_chosen(keys, line, nothing, &list_keys);
}

}  // namespace boruta::cli
