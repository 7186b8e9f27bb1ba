#pragma once

#include <expected>
#include <utility>

#include "base/instant.hpp"
#include "base/refusal.hpp"
#include "http/message.hpp"

/// Answers that several handlers give.
namespace boruta::http {

/// 200 (or `status`) with a JSON body that is still to be written.
[[nodiscard]] HttpResponse json_response(unsigned status = 200);

[[nodiscard]] HttpResponse refused(const Refusal& refusal);
/// 429: `detail` says what there is too much of, and the answer when to try again.
[[nodiscard]] HttpResponse refused_for(Duration wait, std::string detail);

/// Adds Boruta-List-Total, -Remaining and -Batch-Size.
void add_list_headers(HttpResponse& response, std::size_t total, std::size_t remaining, std::size_t batch);

/// What a reader returned, or why there is no such thing, or why the coordinator could not ask it.
using ReadResponse = std::expected<std::expected<HttpResponse, Refusal>, Refusal>;

[[nodiscard]] inline HttpResponse response_of(ReadResponse read) {
  if (!read) return refused(read.error());
  if (!*read) return refused(read->error());
  return std::move(**read);
}

}  // namespace boruta::http
