#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace boruta::http {

/// How the connection goes on after an answer, and what must be said about it.
enum class Persistence : std::uint8_t {
  kKeepAlive,      ///< HTTP/1.1: nothing to say
  kKeepAliveSaid,  ///< HTTP/1.0: must be said
  kClose
};

/// Appends status line and headers, up to and with the empty line, to `out`.
void append_response_head(std::string& out, const HttpResponse& response, std::string_view date,
                          Persistence persistence);

}  // namespace boruta::http
