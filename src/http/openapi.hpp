#pragma once

#include <string>
#include <string_view>

namespace boruta::http {

/// The file openapi.json of the sources, with a placeholder where the server's version belongs.
extern const std::string_view kOpenapiJson;

/// What describes the API of a server of that version: OpenAPI 3.1 as JSON.
[[nodiscard]] std::string openapi_document(std::string_view version);

}  // namespace boruta::http
