// Events and actors as the journal keeps them. The input's first line is the event's type, or "actor"; the rest is its
// JSON.
#include "oracle.hpp"
#include "store/event_codec.hpp"

namespace boruta::store {
namespace {

using fuzz::check;

void check_decode_error(std::string_view error) { check(!error.empty(), "an error says something"); }

void decode_actor_json(std::string_view json) {
  const auto actor = decode_actor(json);
  if (!actor) return check_decode_error(actor.error());
  const auto written = encode_actor(*actor);
  check(decode_actor(written) == actor, "an actor that is written reads the same", written);
}

void decode_event(std::string_view type, std::string_view json) {
  const auto body = decode_event_body(type, json);
  if (!body) return check_decode_error(body.error());
  const auto written = encode_event_body(*body);
  check(written.type == type, "an event keeps its type", written.type);
  const auto again = decode_event_body(written.type, written.json);
  check(again.has_value(), "an event that is written reads again", written.json);
  check(*again == *body, "an event that is written reads the same", written.json);
  check(encode_event_body(*again).json == written.json, "and is written the same", written.json);
}

}  // namespace
}  // namespace boruta::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto json = boruta::fuzz::text_of(data, size);
  const auto type = boruta::fuzz::take_line(json);
  if (type == "actor") {
    boruta::store::decode_actor_json(json);
  } else {
    boruta::store::decode_event(type, json);
  }
  return 0;
}
