#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace boruta {
namespace {

TEST(Utf8, SequenceIsWellFormedOrNone) {
  const std::vector<std::pair<std::string, std::size_t>> table{{"", 0},
                                                               {"a", 1},
                                                               {std::string(1, '\0'), 1},
                                                               {"\x7F", 1},
                                                               {"\xC2\x80", 2},
                                                               {"\xC3\xA9tc", 2},
                                                               {"\xE2\x82\xAC", 3},
                                                               {"\xEF\xBF\xBF", 3},
                                                               {"\xF0\x9F\x98\x80", 4},
                                                               {"\xF4\x8F\xBF\xBF", 4},
                                                               {"\x80", 0},
                                                               {"\xC0\x80", 0},
                                                               {"\xC1\xBF", 0},
                                                               {"\xC3", 0},
                                                               {"\xC3z", 0},
                                                               {"\xE0\x9F\xBF", 0},
                                                               {"\xED\xA0\x80", 0},
                                                               {"\xE2\x82", 0},
                                                               {"\xF0\x8F\xBF\xBF", 0},
                                                               {"\xF4\x90\x80\x80", 0},
                                                               {"\xF5\x80\x80\x80", 0},
                                                               {"\xFF", 0}};
  for (const auto& [text, length] : table)
    EXPECT_EQ(utf8_sequence_length(text), length) << testing::PrintToString(text);
}

}  // namespace
}  // namespace boruta
