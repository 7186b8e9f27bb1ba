#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "farm/farm.hpp"
#include "server/coordinator.hpp"
#include "server/tunnels.hpp"

/// The farm's records as the API shows them: the fields of 0.2.1 in its order, then ours.
namespace boruta::http {

/// What a worker is called where names must tell workers apart: its own name, or with the UUID's tail behind "~"
/// where a worker with a lower UUID has that name already.
class WorkerNames {
 public:
  explicit WorkerNames(const farm::Farm& farm);
  /// REQUIRES: the worker is in the farm.
  [[nodiscard]] const std::string& of(WorkerUuid uuid) const { return names_.at(uuid); }

 private:
  std::map<WorkerUuid, std::string> names_;
};

/// When the request's job ends unless somebody acts, as wall time. Stays the same from one call to the next while
/// nothing changes: the difference of the two clocks is taken in whole milliseconds.
[[nodiscard]] Instant wall_timeout(const farm::Job& job, Now now);

void write_request(JsonWriter& json, const farm::Farm& farm, const farm::Request& request, Now now);
/// Who has or had a worker, and for how long. REQUIRES: request.job.
void write_usage(JsonWriter& json, const farm::Farm& farm, const farm::Request& request, Now now);
/// With its place in the queue while it is WAITING, and what went through its tunnel while it has one.
void write_request_in_full(JsonWriter& json, const server::View& view, const farm::Request& request,
                           const std::optional<server::JobTraffic>& traffic);
/// `way` is how tunnels get there, if that is known.
void write_worker(JsonWriter& json, const farm::Worker& worker, std::string_view name,
                  std::optional<server::TunnelWay> way);
/// How to get in, through `address`: an IP literal, an IPv6 one maybe with a zone.
void write_access(JsonWriter& json, const server::Access& access, std::string_view address);
void write_user(JsonWriter& json, const farm::User& user);
void write_ceilings(JsonWriter& json, const farm::Ceilings& ceilings);
/// Never its hash.
void write_token(JsonWriter& json, const farm::Farm& farm, const farm::Token& token);
void write_user_key(JsonWriter& json, const farm::Farm& farm, const farm::UserKey& key);
/// Whose history an event is shown in: the start of a job is a change of both its request and its worker.
enum class Subject : std::uint8_t { kRequest, kWorker };

/// Never a token's hash.
void write_event(JsonWriter& json, const farm::Event& event, Subject about);
/// With what only admins see: where the actor spoke from.
void write_audited_event(JsonWriter& json, const farm::Event& event);

}  // namespace boruta::http
