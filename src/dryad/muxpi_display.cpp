#include "dryad/muxpi_display.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace boruta::dryad {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  while (!text.empty()) {
    const auto length = std::max<std::size_t>(utf8_sequence_length(text), 1);
    const char first = text.front();
    text.remove_prefix(length);
    if (is_blank(first)) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back() += first > ' ' && first <= '~' ? first : '?';
  }
  return words;
}

/// Of one row, while it is filled.
struct Row {
  std::string text;
  std::size_t words = 0;
};

std::vector<std::string> rows_of(const std::vector<std::string>& words) {
  std::vector<std::string> rows;
  Row row;
  const auto finish = [&] {
    if (!row.text.empty()) rows.push_back(row.text);
    row = {};
  };
  for (std::string_view word : words) {
    const bool fits = row.text.empty() || row.text.size() + 1 + word.size() <= kDisplayColumns;
    if (!fits || row.words == kDisplayRowWords) finish();
    for (; word.size() > kDisplayColumns; word.remove_prefix(kDisplayColumns)) {
      rows.emplace_back(word.substr(0, kDisplayColumns));
    }
    if (!row.text.empty()) row.text += ' ';
    row.text += word;
    ++row.words;
  }
  finish();
  return rows;
}

}  // namespace

std::vector<DisplayPage> pages_for_display(std::string_view text) {
  const auto rows = rows_of(words_of(text));
  std::vector<DisplayPage> pages(std::max<std::size_t>((rows.size() + kDisplayRows - 1) / kDisplayRows, 1));
  for (std::size_t i = 0; i < rows.size(); ++i) pages[i / kDisplayRows][i % kDisplayRows] = rows[i];
  return pages;
}

}  // namespace boruta::dryad
