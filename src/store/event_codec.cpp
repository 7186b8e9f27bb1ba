#include "store/event_codec.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <utility>
#include <variant>

#include "store/event_fields.hpp"
#include "store/json_fields.hpp"

namespace boruta::store {
namespace {

namespace json = boost::json;

/// Parses `text` as one object and reads `record` from it. The error goes on from "… ".
template <HasFields Record>
std::expected<Record, std::string> decode(std::string_view text) {
  constexpr std::size_t kUsualBytes = 4096;
  std::array<unsigned char, kUsualBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): only room
  json::monotonic_resource memory(buffer.data(), buffer.size());
  json::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error, &memory);
  if (error) return std::unexpected(fmt::format("is not JSON: {}", error.message()));
  const auto* object = value.if_object();
  if (object == nullptr) return std::unexpected("is not a JSON object");
  Record record;
  ObjectReader reader(*object);
  Fields<Record>::each(reader, record);
  if (reader.problem()) return std::unexpected(*reader.problem());
  return record;
}

struct Kind {
  std::string_view type;
  std::expected<farm::EventBody, std::string> (*decode)(std::string_view json);
};

template <class Body>
std::expected<farm::EventBody, std::string> decode_body(std::string_view text) {
  auto body = decode<Body>(text);
  if (!body) return std::unexpected(fmt::format("{} {}", Fields<Body>::kType, body.error()));
  return std::move(*body);
}

template <std::size_t... Index>
consteval auto make_kinds(std::index_sequence<Index...> /*all*/) {
  return std::array{Kind{Fields<std::variant_alternative_t<Index, farm::EventBody>>::kType,
                         &decode_body<std::variant_alternative_t<Index, farm::EventBody>>}...};
}

/// One entry for each alternative of EventBody: a kind without Fields does not compile.
constexpr auto kKinds = make_kinds(std::make_index_sequence<std::variant_size_v<farm::EventBody>>{});

consteval bool types_differ() {
  for (std::size_t left = 0; left < kKinds.size(); ++left) {
    for (std::size_t right = left + 1; right < kKinds.size(); ++right) {
      if (kKinds[left].type == kKinds[right].type) return false;
    }
  }
  return true;
}
static_assert(types_differ());

}  // namespace

EncodedEvent encode_event_body(const farm::EventBody& body) {
  return std::visit(
      []<class Body>(const Body& event) {
        constexpr std::size_t kUsualBytes = 512;
        EncodedEvent encoded{.type = Fields<Body>::kType, .json = {}};
        encoded.json.reserve(kUsualBytes);
        append_json(encoded.json, event);
        return encoded;
      },
      body);
}

std::expected<farm::EventBody, std::string> decode_event_body(std::string_view type, std::string_view json) {
  for (const auto& kind : kKinds) {
    if (kind.type == type) return kind.decode(json);
  }
  return std::unexpected(fmt::format("the event type \"{}\" is not known", type));
}

std::string encode_actor(const farm::Actor& actor) {
  std::string json;
  append_json(json, actor);
  return json;
}

std::expected<farm::Actor, std::string> decode_actor(std::string_view json) {
  auto actor = decode<farm::Actor>(json);
  if (!actor) return std::unexpected(fmt::format("actor {}", actor.error()));
  return actor;
}

}  // namespace boruta::store
