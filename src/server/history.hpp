#pragma once

#include <string>

#include "farm/events.hpp"

namespace boruta::server {

/// What an event says beyond its kind, as the JSON object that the journal keeps: for histories.
/// Without the hash of a token and what a client keeps to itself, its Idempotency-Key.
[[nodiscard]] std::string details_of(const farm::Event& event);

}  // namespace boruta::server
