#pragma once

#include <string>
#include <string_view>
#include <vector>

/// What a server sent, taken apart by the letter: whatever is not well-formed HTTP/1.1 ends the run.
namespace boruta::fuzz {

struct Response {
  unsigned status = 0;
  bool closes = false;
  std::string_view body;
};

/// `for_head` says of each final response in turn whether it answers HEAD, and has no body. `cut_off` allows the last
/// one to be incomplete; it is left out then. "100 Continue" is checked and left out.
[[nodiscard]] std::vector<Response> parse_responses(std::string_view sent, const std::vector<bool>& for_head,
                                                    bool cut_off);

}  // namespace boruta::fuzz
