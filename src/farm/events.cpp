#include "farm/events.hpp"

#include <array>

namespace boruta::farm {
namespace {

/// In the order of EventBody.
constexpr std::array<std::string_view, std::variant_size_v<EventBody>> kKinds{
    "server started",        "user created",      "user groups set",     "user deleted",
    "token created",         "token bound",       "token revoked",       "request created",
    "request updated",       "requests servable", "request ended",       "job started",
    "job acquired",          "job prolonged",     "job granted",         "job paused",
    "job resumed",           "job tunnel moved",  "worker registered",   "worker changed",
    "worker change pending", "worker connected",  "worker disconnected", "worker lost",
    "worker state changed",  "worker prepared",   "worker cleaned",      "worker told",
    "worker noted",          "worker drain set",  "worker groups set",   "worker deregistered"};

}  // namespace

std::string_view kind_of(const EventBody& body) { return kKinds.at(body.index()); }

std::span<const std::string_view> kind_names() { return kKinds; }

std::optional<RequestId> request_of(const EventBody& body) {
  return std::visit(
      [](const auto& event) -> std::optional<RequestId> {
        if constexpr (requires { RequestId(event.id); }) {
          return event.id;
        } else {
          return std::nullopt;
        }
      },
      body);
}

std::optional<WorkerUuid> worker_of(const EventBody& body) {
  return std::visit(
      [](const auto& event) -> std::optional<WorkerUuid> {
        if constexpr (requires { event.uuid; }) {
          return event.uuid;
        } else if constexpr (requires { event.tunnel_port, event.worker; }) {
          return event.worker;
        } else {
          return std::nullopt;
        }
      },
      body);
}

}  // namespace boruta::farm
