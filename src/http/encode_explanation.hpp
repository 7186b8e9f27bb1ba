#pragma once

#include "base/json.hpp"
#include "match/explain.hpp"
#include "server/coordinator.hpp"

namespace boruta::http {

/// Why a request waits, as the API tells it. `with_workers`: each worker one by one, besides their numbers.
/// REQUIRES: as for match::explain.
void write_explanation(JsonWriter& json, const server::View& view, const match::Ask& ask, bool with_workers);

/// Of a request that does not wait: its state and why it is in it.
void write_explanation_of_ended(JsonWriter& json, const farm::Request& request);

}  // namespace boruta::http
