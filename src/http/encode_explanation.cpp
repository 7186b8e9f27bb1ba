#include "http/encode_explanation.hpp"

#include <algorithm>
#include <array>

#include "http/encode.hpp"

namespace boruta::http {
namespace {

void write_text(JsonWriter& json, std::string_view key, std::string_view text) {
  json.key(key);
  json.text(text);
}

void write_number(JsonWriter& json, std::string_view key, std::uint64_t number) {
  json.key(key);
  json.number(number);
}

void write_id(JsonWriter& json, std::string_view key, const std::optional<RequestId>& id) {
  json.key(key);
  if (id) {
    json.number(id->value);
  } else {
    json.null();
  }
}

/// An instant of the lease clock, as wall time.
void write_lease_time(JsonWriter& json, std::string_view key, const std::optional<Instant>& lease,
                      const server::View& view) {
  json.key(key);
  if (lease) {
    json.time(view.to_wall(*lease));
  } else {
    json.null();
  }
}

std::string_view owner_of(const farm::Farm& farm, const std::optional<RequestId>& id) {
  const auto request = id ? farm.find_request(*id) : farm::FoundRequest();
  const auto* owner = request == nullptr ? nullptr : farm.find_user(request->owner);
  return owner == nullptr ? std::string_view{} : owner->name;
}

void write_summary(JsonWriter& json, const std::vector<match::WorkerVerdict>& workers) {
  using enum match::Fitness;
  json.key("Summary");
  json.begin_object();
  for (const auto fitness : {kFree, kPreparing, kBusy, kOutOfService, kReserved, kAlmostFits, kDoesNotFit}) {
    const auto count = std::ranges::count(workers, fitness, &match::WorkerVerdict::fitness);
    write_number(json, to_string(fitness), static_cast<std::uint64_t>(count));
  }
  json.end_object();
}

void write_miss(JsonWriter& json, const match::Miss& miss) {
  json.begin_object();
  write_text(json, "Capability", miss.capability);
  json.key("Has");
  if (miss.has) {
    json.text(*miss.has);
  } else {
    json.null();
  }
  write_text(json, "Text", miss.text);
  json.end_object();
}

void write_workers(JsonWriter& json, const server::View& view, const std::vector<match::WorkerVerdict>& workers) {
  const WorkerNames names(view.farm());
  json.key("Workers");
  json.begin_array();
  for (const auto& verdict : workers) {
    const auto* worker = view.farm().find_worker(verdict.worker);
    json.begin_object();
    write_text(json, "WorkerUUID", verdict.worker.to_string());
    write_text(json, "Name", names.of(verdict.worker));
    write_text(json, "Fitness", match::to_string(verdict.fitness));
    write_text(json, "State", farm::to_string(worker->state));
    json.key("Since");
    json.time(worker->changed);
    write_text(json, "By", worker->changed_by);
    write_lease_time(json, "Until", verdict.until, view);
    write_id(json, "ReqID", verdict.job);
    write_text(json, "Owner", owner_of(view.farm(), verdict.job));
    write_text(json, "Detail", verdict.detail);
    json.key("Misses");
    json.begin_array();
    for (const auto& miss : verdict.misses) write_miss(json, miss);
    json.end_array();
    json.end_object();
  }
  json.end_array();
}

void write_ahead(JsonWriter& json, const farm::Farm& farm, const std::vector<match::AheadRequest>& ahead) {
  json.key("Ahead");
  json.begin_array();
  for (const auto& request : ahead) {
    json.begin_object();
    write_number(json, "ReqID", request.id.value);
    write_text(json, "Owner", owner_of(farm, request.id));
    write_text(json, "Why", request.why);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_explanation(JsonWriter& json, const server::View& view, const match::Ask& ask, bool with_workers) {
  const auto explanation = match::explain(view.farm(), view.matcher(), ask, view.now());
  json.begin_object();
  write_id(json, "ReqID", ask.id);
  write_text(json, "State", farm::to_string(farm::RequestState::kWaiting));
  write_text(json, "Reason", {});
  write_text(json, "Asked", format_demand(*ask.demand));
  const auto* request = ask.id ? view.farm().find_open_request(*ask.id) : nullptr;
  json.key("ReadySince");
  if (request != nullptr && ask.valid_after <= view.now().wall) {
    json.time(match::ready_since(*request));
  } else {
    json.null();
  }
  json.key("NotBefore");
  if (ask.valid_after > view.now().wall) {
    json.time(ask.valid_after);
  } else {
    json.null();
  }
  write_number(json, "Position", explanation.standing.position);
  write_number(json, "Queue", explanation.standing.competing);
  write_number(json, "Fits", explanation.standing.fits);
  write_number(json, "FitsIdle", explanation.standing.fits_idle);
  write_text(json, "Held", explanation.held);
  write_lease_time(json, "NotLaterThan", explanation.estimate.not_later_than, view);
  write_lease_time(json, "AtWorst", explanation.estimate.at_worst, view);
  write_text(json, "Unknown", explanation.estimate.unknown);
  write_ahead(json, view.farm(), explanation.ahead);
  write_summary(json, explanation.workers);
  if (with_workers) write_workers(json, view, explanation.workers);
  json.end_object();
}

void write_explanation_of_ended(JsonWriter& json, const farm::Request& request) {
  json.begin_object();
  write_number(json, "ReqID", request.id.value);
  write_text(json, "State", farm::to_string(request.state));
  write_text(json, "Reason", request.reason);
  write_text(json, "Asked", format_demand(*request.demand));
  json.end_object();
}

}  // namespace boruta::http
