// The configs of server and agent. The input's first line says whose it is, "borutad" or "dryad"; the rest is the file.
#include "app/server_config.hpp"
#include "dryad/config.hpp"
#include "oracle.hpp"

namespace boruta {
namespace {

using fuzz::check;

void check_errors(const config::Errors& errors) {
  check(!errors.empty(), "a config that is refused is so for a reason");
  for (const auto& error : errors) {
    check(error.starts_with("test.conf:"), "an error names the file", error);
    check(fuzz::is_utf8(error), "an error is UTF-8", error);
  }
}

void parse_server(std::string_view text) {
  const auto parsed = app::parse_server_config(text, "test.conf");
  if (!parsed) return check_errors(parsed.error());
  std::ignore = app::check_server_config(*parsed);
}

void parse_dryad(std::string_view text) {
  for (const bool root : {true, false}) {
    const auto parsed = dryad::parse_config(text, "test.conf", root);
    if (!parsed) {
      check_errors(parsed.error());
      continue;
    }
    check(!check_limits(parsed->caps), "accepted capabilities are within their limits");
    check(!dryad::listen_addresses(*parsed).empty(), "there is always something to listen on");
  }
}

}  // namespace
}  // namespace boruta

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = boruta::fuzz::text_of(data, size);
  const auto whose = boruta::fuzz::take_line(text);
  if (whose == "borutad") boruta::parse_server(text);
  if (whose == "dryad") boruta::parse_dryad(text);
  return 0;
}
