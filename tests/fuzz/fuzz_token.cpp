// What a stranger shows to be let in. The whole input is an Authorization header's value, and once more a token as
// files and command lines hold it.
#include "base/bearer_token.hpp"
#include "oracle.hpp"

namespace boruta {
namespace {

using fuzz::check;
using namespace std::string_view_literals;

constexpr std::string_view kScheme = "Bearer ";

bool is_bare(std::string_view text) { return !text.empty() && text.front() != ' ' && text.back() != ' '; }

void show(std::string_view header) {
  const auto token = bearer_token(header);
  if (!token) {
    check(!header.starts_with(kScheme) || header.find_first_not_of(' ', kScheme.size()) == std::string_view::npos,
          "nothing is shown only without the scheme, or without a token behind it", header);
    return;
  }
  check(is_bare(token->reveal()), "a token has no blanks around it", header);
  check(header.substr(kScheme.size()).find(token->reveal()) != std::string_view::npos,
        "a token stands behind the scheme as it is", header);
  const auto written = std::string(kScheme) + std::string(token->reveal());
  const auto again = bearer_token(written);
  check(again && again->reveal() == token->reveal(), "a token that is sent arrives as it was", written);
}

void keep(std::string_view text) {
  if (!is_token(text)) return;
  check(is_bare(text) && fuzz::is_utf8(text) && text.find_first_of("\r\n\0"sv) == std::string_view::npos,
        "a token fits into a header and a line", text);
  const auto shown = bearer_token(std::string(kScheme) + std::string(text));
  check(shown && shown->reveal() == text, "what agents and clients take for a token, the server hears", text);
}

}  // namespace
}  // namespace boruta

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = boruta::fuzz::text_of(data, size);
  boruta::show(text);
  boruta::keep(text);
  return 0;
}
