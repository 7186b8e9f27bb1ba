#include "server/history.hpp"

#include "store/event_codec.hpp"

namespace boruta::server {

std::string details_of(const farm::Event& event) {
  if (const auto* token = std::get_if<farm::TokenCreated>(&event.body)) {
    auto shown = *token;
    shown.hash.clear();
    return store::encode_event_body(shown).json;
  }
  if (const auto* request = std::get_if<farm::RequestCreated>(&event.body)) {
    auto shown = *request;
    shown.idempotency_key.reset();
    shown.body_hash.reset();
    return store::encode_event_body(shown).json;
  }
  return store::encode_event_body(event.body).json;
}

}  // namespace boruta::server
