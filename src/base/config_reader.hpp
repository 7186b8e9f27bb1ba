#pragma once

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/host_port.hpp"
#include "base/instant.hpp"

/// Reads TOML configs by a table of keys, and gathers everything that is wrong with file and line.
namespace boruta::config {

/// Empty: taken. Otherwise what is expected, as the end of a sentence: "a string is expected".
using Verdict = std::string;

struct Key {
  std::string_view name;
  std::function<Verdict(const toml::node&)> take;
};
using Keys = std::vector<Key>;

/// Lines for people, one for each thing that is wrong, in the order of the file:
/// "dryad.conf:12: access = \"root\": \"account\" or \"private\" is expected".
using Errors = std::vector<std::string>;

/// Walks tables with their keys. Values are taken where they are right; `errors` tells of the rest.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  /// Parses `text` and walks it. The table is valid for later `fail`s about the whole; empty on a syntax error.
  toml::table read(std::string_view text, const Keys& keys);
  /// For use as a key's `take`: goes down into a table.
  [[nodiscard]] std::function<Verdict(const toml::node&)> table(std::string name, Keys keys);
  /// `line` 0: of the file as a whole.
  void fail(std::uint32_t line, std::string text) { errors_.emplace(line, std::move(text)); }

  [[nodiscard]] bool failed() const { return !errors_.empty(); }
  [[nodiscard]] Errors errors() const;

 private:
  void walk(const toml::table& table, const std::string& prefix, const Keys& keys);

  std::string file_;
  /// By line, and within one as they were found.
  std::multimap<std::uint32_t, std::string> errors_;
};

/// The line of a key of the outermost table, 0 when it is not there.
[[nodiscard]] std::uint32_t line_of(const toml::table& table, std::string_view key);

[[nodiscard]] Verdict take_text(const toml::node& node, std::string& target);
[[nodiscard]] Verdict take_flag(const toml::node& node, bool& target);
/// A path from / on.
[[nodiscard]] Verdict take_path(const toml::node& node, std::filesystem::path& target);
[[nodiscard]] Verdict take_address(const toml::node& node, HostPort& target);
[[nodiscard]] Verdict take_duration(const toml::node& node, Duration least, Duration most, Duration& target);
[[nodiscard]] Verdict take_texts(const toml::node& node, std::vector<std::string>& target);
/// With its arguments; empty: none.
[[nodiscard]] Verdict take_program(const toml::node& node, std::vector<std::string>& target);
/// How the value stands in the file, for messages.
[[nodiscard]] std::string value_text(const toml::node& node);

/// One of a few words, each with its meaning.
template <class T>
[[nodiscard]] Verdict take_word(const toml::node& node, const std::vector<std::pair<std::string_view, T>>& words,
                                T& target) {
  const auto value = node.value_exact<std::string>();
  std::string expected;
  for (const auto& [word, meaning] : words) {
    if (value && *value == word) {
      target = meaning;
      return {};
    }
    expected += fmt::format("{}\"{}\"", expected.empty() ? "" : " or ", word);
  }
  return expected + " is expected";
}

}  // namespace boruta::config
