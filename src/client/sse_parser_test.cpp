#include "client/sse_parser.hpp"

#include <gtest/gtest.h>

namespace boruta::client {
namespace {

constexpr std::size_t kLimit = 1000;

std::vector<SseMessage> read_in(const std::vector<std::string_view>& pieces) {
  SseParser parser(kLimit);
  std::vector<SseMessage> messages;
  for (const auto piece : pieces) EXPECT_TRUE(parser.feed(piece, messages));
  return messages;
}

struct Row {
  std::string_view text;
  std::vector<SseMessage> messages;
};

std::vector<Row> table() {
  using namespace std::string_view_literals;
  return {
      {"id: 7\nevent: job started\ndata: {\"Seq\":7}\n\n", {{"7", "job started", "{\"Seq\":7}"}}},
      {"id: 7\r\nevent: job started\r\ndata: {}\r\n\r\n", {{"7", "job started", "{}"}}},
      {"id: 7\revent: job started\rdata: {}\r\r", {{"7", "job started", "{}"}}},
      {"id: 1\r\ndata: a\rdata: b\n\r\nid: 2\r\r", {{"1", "", "a\nb"}, {"2", "", ""}}},
      {"data: a\ndata\ndata:b\n\n", {{std::nullopt, "", "a\n\nb"}}},
      {"data\ndata\n\n", {{std::nullopt, "", "\n"}}},
      {"data:  two spaces\n\n", {{std::nullopt, "", " two spaces"}}},
      {"data: a: b\n\n", {{std::nullopt, "", "a: b"}}},
      {": still here\n\n:\n\ndata: x\n: inside\n\n", {{std::nullopt, "", "x"}}},
      {"retry: 1000\nid: 4\n\n", {{"4", "", ""}}},
      {"retry: 1000\n\n\n\n", {}},
      {"nonsense\nDATA: x\n data: y\n\n", {}},
      {"\xEF\xBB\xBFid: 1\n\n\xEF\xBB\xBFid: 2\n\n", {{"1", "", ""}}},
      {"id: 1\0002\ndata: x\n\n"sv, {{std::nullopt, "", "x"}}},
      {"id: 1\nid: 2\nevent: a\nevent: b\n\n", {{"2", "b", ""}}},
      {"id\n\n", {{"", "", ""}}},
      {"id: 1\n\nid: 2\ndata: not ended\n", {{"1", "", ""}}},
      {"data: żółw\r\n\r\n", {{std::nullopt, "", "żółw"}}},
  };
}

TEST(SseParser, ReadsMessagesWholeAsTheSpecificationWantsIt) {
  for (const auto& row : table()) EXPECT_EQ(read_in({row.text}), row.messages) << row.text;
}

TEST(SseParser, ReadsTheSameWhereverTheBytesAreSplit) {
  for (const auto& row : table()) {
    for (std::size_t first = 0; first <= row.text.size(); ++first) {
      for (std::size_t second = first; second <= row.text.size(); ++second) {
        EXPECT_EQ(read_in({row.text.substr(0, first), row.text.substr(first, second - first), row.text.substr(second)}),
                  row.messages)
            << row.text << " split at " << first << " and " << second;
      }
    }
  }
}

TEST(SseParser, RefusesAMessageThatIsTooLongHoweverItIsMade) {
  const std::string line(kLimit, 'x');
  std::string many;
  for (std::size_t i = 0; i < kLimit / 10; ++i) many += "data: 12345678\n";
  for (const auto& text : {line + "x", "data: " + line, many, ":" + line}) {
    SseParser parser(kLimit);
    std::vector<SseMessage> messages;
    EXPECT_FALSE(parser.feed(text, messages)) << text;
    EXPECT_TRUE(messages.empty());
  }
}

TEST(SseParser, CountsEachMessageByItselfAndNoComments) {
  SseParser parser(kLimit);
  std::vector<SseMessage> messages;
  for (std::size_t i = 0; i < kLimit; ++i) {
    ASSERT_TRUE(parser.feed(": still here\n", messages));
    ASSERT_TRUE(parser.feed("data: 12345678\n\n", messages));
  }
  EXPECT_EQ(messages.size(), kLimit);
}

}  // namespace
}  // namespace boruta::client
