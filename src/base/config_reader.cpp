#include "base/config_reader.hpp"

#include <algorithm>
#include <sstream>

namespace boruta::config {
namespace {

std::string names(const Keys& keys) {
  std::string text;
  for (const auto& key : keys) text += fmt::format("{}{}", text.empty() ? "" : ", ", key.name);
  return text;
}

}  // namespace

std::string value_text(const toml::node& node) {
  if (node.is_table()) return "{…}";
  if (node.is_array()) return "[…]";
  if (const auto text = node.value_exact<std::string>()) return fmt::format("\"{}\"", *text);
  std::ostringstream text;
  node.visit([&](const auto& concrete) {
    if constexpr (toml::is_value<decltype(concrete)>) text << concrete;
  });
  return text.str();
}

toml::table Reader::read(std::string_view text, const Keys& keys) {
  try {
    auto table = toml::parse(text, file_);
    walk(table, "", keys);
    return table;
  } catch (const toml::parse_error& error) {
    fail(error.source().begin.line, std::string(error.description()));
    return {};
  }
}

void Reader::walk(const toml::table& table, const std::string& prefix, const Keys& keys) {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    const auto line = static_cast<std::uint32_t>(node.source().begin.line);
    const auto known = std::ranges::find(keys, name, &Key::name);
    if (known == keys.end()) {
      fail(line, fmt::format("{}{}: there is no such key; known are {}", prefix, name, names(keys)));
      continue;
    }
    const auto verdict = known->take(node);
    if (!verdict.empty()) fail(line, fmt::format("{}{} = {}: {}", prefix, name, value_text(node), verdict));
  }
}

std::function<Verdict(const toml::node&)> Reader::table(std::string name, Keys keys) {
  return [this, name = std::move(name), keys = std::move(keys)](const toml::node& node) -> Verdict {
    const auto* inner = node.as_table();
    if (inner == nullptr) return "a table is expected";
    walk(*inner, name + ".", keys);
    return {};
  };
}

Errors Reader::errors() const {
  Errors lines;
  for (const auto& [line, text] : errors_) {
    lines.push_back(line == 0 ? fmt::format("{}: {}", file_, text) : fmt::format("{}:{}: {}", file_, line, text));
  }
  return lines;
}

std::uint32_t line_of(const toml::table& table, std::string_view key) {
  const auto* node = table.get(key);
  return node == nullptr ? 0 : static_cast<std::uint32_t>(node->source().begin.line);
}

Verdict take_text(const toml::node& node, std::string& target) {
  const auto value = node.value_exact<std::string>();
  if (!value) return "a string is expected";
  target = *value;
  return {};
}

Verdict take_flag(const toml::node& node, bool& target) {
  const auto value = node.value_exact<bool>();
  if (!value) return "true or false is expected";
  target = *value;
  return {};
}

Verdict take_path(const toml::node& node, std::filesystem::path& target) {
  std::string text;
  if (!take_text(node, text).empty() || !text.starts_with('/')) return "a path from / on is expected";
  target = text;
  return {};
}

Verdict take_address(const toml::node& node, HostPort& target) {
  std::string text;
  if (!take_text(node, text).empty()) return "a string like \"10.0.0.1:7175\" is expected";
  const auto parsed = parse_host_port(text);
  if (!parsed) return "\"HOST:PORT\" is expected, without \"http://\" or a path";
  target = *parsed;
  return {};
}

Verdict take_duration(const toml::node& node, Duration least, Duration most, Duration& target) {
  std::string text;
  const auto parsed = take_text(node, text).empty() ? parse_duration(text) : std::nullopt;
  if (!parsed) return "a duration like \"500ms\", \"90m\", \"24h\" or \"3d\" is expected";
  if (*parsed < least || *parsed > most) {
    return fmt::format("a duration from {} to {} is expected", format_duration(least), format_duration(most));
  }
  target = *parsed;
  return {};
}

Verdict take_texts(const toml::node& node, std::vector<std::string>& target) {
  const auto* array = node.as_array();
  if (array == nullptr) return "an array of strings is expected";
  std::vector<std::string> texts;
  for (const auto& element : *array) {
    auto text = element.value_exact<std::string>();
    if (!text) return "an array of strings is expected";
    texts.push_back(*std::move(text));
  }
  target = std::move(texts);
  return {};
}

Verdict take_program(const toml::node& node, std::vector<std::string>& target) {
  if (!take_texts(node, target).empty() || (!target.empty() && target.front().empty())) {
    return "an array with a program and its arguments is expected, like [\"/usr/local/bin/program\", \"--option\"]";
  }
  return {};
}

}  // namespace boruta::config
