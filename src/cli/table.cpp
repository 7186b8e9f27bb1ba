#include "cli/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

constexpr std::size_t kGap = 2;

const char* code_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kGood:
      return "32";
    case Tone::kBad:
      return "31";
    case Tone::kWarning:
      return "33";
    case Tone::kBusy:
      return "36";
    case Tone::kFaint:
      return "2";
  }
  return "";
}

}  // namespace

std::string painted(std::string text, Tone tone, bool colour) {
  if (!colour || tone == Tone::kPlain || text.empty()) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(tone), text);
}

void Table::add(std::vector<Cell> row) {
  BORUTA_ASSERT(row.size() == headers_.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i].text = printable(row[i].text);
    if (row[i].text.empty() && !headers_[i].empty()) row[i].text = "-";
  }
  rows_.push_back(std::move(row));
}

std::string Table::render(bool colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < headers_.size(); ++i) {
    auto width = display_width(headers_[i]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  std::string out;
  const auto end_line = [&out] {
    out.erase(out.find_last_not_of(' ') + 1);
    out.push_back('\n');
  };
  for (std::size_t i = 0; i < headers_.size(); ++i) out += pad(headers_[i], widths[i] + kGap);
  end_line();
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto filler = widths[i] + kGap - display_width(row[i].text);
      out += painted(row[i].text, row[i].tone, colour);
      out.append(filler, ' ');
    }
    end_line();
  }
  return out;
}

}  // namespace boruta::cli
