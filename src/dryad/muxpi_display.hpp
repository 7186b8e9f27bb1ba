#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// The OLED of a MuxPi: two rows of sixteen characters, of which its firmware draws printable ASCII alone.
namespace boruta::dryad {

inline constexpr std::size_t kDisplayColumns = 16;
inline constexpr std::size_t kDisplayRows = 2;
inline constexpr int kDisplayRowPixels = 16;
/// The firmware takes a row's text apart into words, and no more than this many.
inline constexpr std::size_t kDisplayRowWords = 6;

/// What the display shows at once; rows may be empty.
using DisplayPage = std::array<std::string, kDisplayRows>;

/// `text` broken between words into rows, and rows into pages; longer words are broken where the row ends. What can't
/// be drawn becomes "?". Blanks and line ends of any number count as one blank. At least one page.
[[nodiscard]] std::vector<DisplayPage> pages_for_display(std::string_view text);

}  // namespace boruta::dryad
