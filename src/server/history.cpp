#include "server/history.hpp"

#include "store/event_codec.hpp"

namespace boruta::server {

std::string details_of(const farm::Event& event) { return store::encode_event_body(event.body).json; }

}  // namespace boruta::server
