#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "farm/events.hpp"

/// Events as the store keeps them: a name for the kind, and JSON for the rest. The format only grows: names of kinds
/// and fields are never changed or reused, and a field that is added later is one that older events may lack.
namespace boruta::store {

struct EncodedEvent {
  std::string_view type;  ///< "request_created", …; lives for ever
  std::string json;
};

/// Upstream sees to it that all text is valid UTF-8; what is not becomes U+FFFD, so that the log stays readable.
[[nodiscard]] EncodedEvent encode_event_body(const farm::EventBody& body);

/// Fields that are not known are ignored. The error names the type and the field that is missing or wrong.
[[nodiscard]] std::expected<farm::EventBody, std::string> decode_event_body(std::string_view type,
                                                                            std::string_view json);

[[nodiscard]] std::string encode_actor(const farm::Actor& actor);
[[nodiscard]] std::expected<farm::Actor, std::string> decode_actor(std::string_view json);

}  // namespace boruta::store
