#include "dryad/config_file.hpp"

#include <toml++/toml.h>

#include <set>
#include <sstream>
#include <unistd.h>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kConfigBytes = std::size_t{1024} * 1024;
constexpr std::string_view kCaps = "caps";

/// The key's value as it would be written; empty: it is not there.
std::string text_of(const toml::table& table, std::string_view key) {
  std::ostringstream text;
  if (const auto* node = table.get(key)) text << toml::node_view<const toml::node>(*node);
  return text.str();
}

}  // namespace

std::expected<std::string, std::string> read_config_text(const std::filesystem::path& file) {
  return read_file(file, kConfigBytes);
}

std::expected<ConfigFile, config::Errors> config_from(std::string text, const Options& options, bool root) {
  auto config = parse_config(text, options.config, root);
  if (!config) return std::unexpected(config.error());
  if (options.token_file) config->token_file = *options.token_file;
  if (options.ca_file) config->ca_file = *options.ca_file;
  if (options.state_dir) config->state_dir = std::filesystem::absolute(*options.state_dir);
  if (options.boruta) config->boruta = *parse_host_port(*options.boruta);
  return ConfigFile{.config = *std::move(config), .text = std::move(text)};
}

std::expected<ConfigFile, config::Errors> load_config(const Options& options) {
  auto text = read_config_text(options.config);
  if (!text) return std::unexpected(config::Errors{text.error()});
  return config_from(*std::move(text), options, ::geteuid() == 0);
}

std::vector<std::string> keys_that_need_a_restart(std::string_view before, std::string_view after) {
  const auto old_table = toml::parse(before);
  const auto new_table = toml::parse(after);
  std::set<std::string> keys;
  for (const auto* table : {&old_table, &new_table}) {
    for (const auto& [key, value] : *table) keys.emplace(key.str());
  }
  std::vector<std::string> changed;
  for (const auto& key : keys) {
    if (key != kCaps && text_of(old_table, key) != text_of(new_table, key)) changed.push_back(key);
  }
  return changed;
}

}  // namespace boruta::dryad
