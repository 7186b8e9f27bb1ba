#pragma once

#include <string>
#include <vector>

namespace boruta::cli {

/// What a cell's colour says besides its words. Never the only carrier of a meaning.
enum class Tone : unsigned char { kPlain, kGood, kBad, kWarning, kBusy, kFaint };

/// `text` in the tone's colour, or as it is without `colour`.
[[nodiscard]] std::string painted(std::string text, Tone tone, bool colour);

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
};

/// Columns that line up. Cells are made printable; empty ones show "-", except in columns without a header.
class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}

  /// REQUIRES: as many cells as headers.
  void add(std::vector<Cell> row);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Lines with their ends, the header first; no spaces at the end of lines.
  [[nodiscard]] std::string render(bool colour) const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace boruta::cli
