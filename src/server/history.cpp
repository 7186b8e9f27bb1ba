#include "server/history.hpp"

#include "store/event_codec.hpp"

namespace boruta::server {

std::string details_of(const farm::Event& event) {
  const auto* created = std::get_if<farm::TokenCreated>(&event.body);
  if (created == nullptr) return store::encode_event_body(event.body).json;
  auto shown = *created;
  shown.hash.clear();
  return store::encode_event_body(shown).json;
}

}  // namespace boruta::server
