#include "http/openapi.hpp"

#include "base/assert.hpp"
#include "base/json.hpp"

namespace boruta::http {

std::string openapi_document(std::string_view version) {
  constexpr std::string_view kPlaceholder = R"("SERVER_VERSION")";
  std::string document(kOpenapiJson);
  const auto place = document.find(kPlaceholder);
  BORUTA_ASSERT(place != std::string::npos);
  std::string quoted;
  append_json_string(quoted, version);
  return document.replace(place, kPlaceholder.size(), quoted);
}

}  // namespace boruta::http
