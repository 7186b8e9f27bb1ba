#include "cli/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/ascii.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

bool is_safe(char letter) {
  return is_alphanumeric(letter) || std::string_view("_@%+:,./-").find(letter) != std::string_view::npos;
}

std::string quote_always(std::string_view word) {
  std::string quoted = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      quoted += "'\\''";
    } else {
      quoted.push_back(letter);
    }
  }
  quoted.push_back('\'');
  return quoted;
}

}  // namespace

std::string quote_word(std::string_view word) {
  // "=" is left to quotes: a first word with one would be an assignment.
  if (!word.empty() && std::ranges::all_of(word, is_safe)) return std::string(word);
  return quote_always(word);
}

std::string quote_command(std::span<const std::string> words) {
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line.push_back(' ');
    line += quote_word(word);
  }
  return line;
}

std::string remote_command(std::span<const std::string> words) {
  // Ctrl-C on a far terminal reaches the wrapper too, which must outlive it to tell; the command gets it undimmed.
  std::vector<std::string> wrapped{"sh", "-c", R"(trap : INT QUIT; "$@"; exit $?)", "sh"};
  wrapped.insert(wrapped.end(), words.begin(), words.end());
  return quote_command(wrapped);
}

std::string describe_caps(const Capabilities& caps) {
  if (caps.empty()) return "anything";
  std::string line;
  for (const auto& [key, value] : caps) {
    if (!line.empty()) line.push_back(' ');
    const auto pair = printable(fmt::format("{}={}", key, value));
    const bool safe = std::ranges::all_of(pair, [](char letter) {
      return is_safe(letter) || letter == '=' || static_cast<unsigned char>(letter) >= 0x80;
    });
    line += safe ? pair : quote_always(pair);
  }
  return line;
}

std::string quote_ssh_config(std::string_view argument) {
  std::string escaped;
  bool quotes = argument.empty();
  for (const char letter : argument) {
    if (letter == '%') escaped.push_back('%');
    if (letter == '"' || letter == '\\') escaped.push_back('\\');
    if (letter == ' ' || letter == '#' || letter == '\'' || letter == '\t') quotes = true;
    escaped.push_back(letter);
  }
  return quotes ? fmt::format("\"{}\"", escaped) : escaped;
}

}  // namespace boruta::cli
