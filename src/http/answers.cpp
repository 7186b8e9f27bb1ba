#include "http/answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace boruta::http {

HttpResponse json_response(unsigned status) {
  HttpResponse response{.status = status, .headers = {}, .body = {}};
  constexpr std::size_t kUsualHeaders = 5;
  response.headers.reserve(kUsualHeaders);
  response.headers.push_back({"Content-Type", "application/json"});
  return response;
}

HttpResponse refused(const Refusal& refusal) {
  auto response = error_response(http_status_of(refusal.code), message_of(refusal));
  response.refusal = refusal;
  if (refusal.code == RefusalCode::kUnauthenticated) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

HttpResponse refused_for(Duration wait, std::string detail) {
  const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  detail += fmt::format(", try again in {} s", seconds);
  auto response = refused({.code = RefusalCode::kTooMany, .detail = std::move(detail)});
  response.headers.push_back({"Retry-After", std::to_string(seconds)});
  return response;
}

void add_list_headers(HttpResponse& response, std::size_t total, std::size_t remaining, std::size_t batch) {
  response.headers.push_back({"Boruta-List-Total", std::to_string(total)});
  response.headers.push_back({"Boruta-List-Remaining", std::to_string(remaining)});
  response.headers.push_back({"Boruta-List-Batch-Size", std::to_string(batch)});
}

}  // namespace boruta::http
