#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode.hpp"
#include "http/url.hpp"

/// Everything that happened, for who must know who did what.
namespace boruta::http {
namespace {

/// So many events are looked through at a time, and in one answer.
constexpr std::size_t kSlice = 1'000;
constexpr std::size_t kMostSlices = 20;
constexpr std::uint64_t kUsualPage = 1'000;

std::unexpected<Refusal> invalid(std::string detail) {
  return std::unexpected(Refusal{.code = RefusalCode::kInvalid, .detail = std::move(detail)});
}

struct AuditQuery {
  std::optional<Instant> since;
  std::string actor;
  std::string kind;
  std::string address;
  store::EventQuery events;
  std::uint64_t limit = kUsualPage;

  [[nodiscard]] bool shows(const farm::Event& event) const {
    // Nothing happened: who wants to see that one was written says so.
    if (kind.empty() && std::holds_alternative<farm::Checkpoint>(event.body)) return false;
    return (actor.empty() || event.actor.name == actor) && (kind.empty() || farm::kind_of(event.body) == kind) &&
           (address.empty() || event.actor.address == address);
  }
};

Decoded<std::uint64_t> number_of(const std::string& name, const std::string& text, std::uint64_t most) {
  const auto number = decode_number(text);
  if (number && *number <= most) return *number;
  return invalid(fmt::format("{} is \"{}\": a number from 0 to {} is expected", name, text, most));
}

/// What the query says of the events themselves; its error stays with it.
Decoded<void> read_subject(std::string_view query, AuditQuery& wanted) {
  if (const auto text = query_parameter(query, "request")) {
    const auto id = decode_request_id(*text);
    if (!id) return std::unexpected(id.error());
    wanted.events.request = *id;
  }
  if (const auto text = query_parameter(query, "worker")) {
    const auto uuid = decode_worker_uuid(*text);
    if (!uuid) return std::unexpected(uuid.error());
    wanted.events.worker = *uuid;
  }
  if (const auto text = query_parameter(query, "after")) {
    const auto after = number_of("after", *text, std::numeric_limits<std::int64_t>::max());
    if (!after) return std::unexpected(after.error());
    wanted.events.after = EventSeq{*after};
  }
  return {};
}

Decoded<AuditQuery> decode_audit_query(std::string_view query, Instant now) {
  AuditQuery wanted;
  if (const auto subject = read_subject(query, wanted); !subject) return std::unexpected(subject.error());
  if (const auto text = query_parameter(query, "limit")) {
    const auto limit = number_of("limit", *text, limits::kListPage);
    if (!limit) return std::unexpected(limit.error());
    if (*limit > 0) wanted.limit = *limit;
  }
  wanted.actor = query_parameter(query, "actor").value_or("");
  wanted.address = query_parameter(query, "address").value_or("");
  wanted.kind = query_parameter(query, "kind").value_or("");
  const auto kinds = farm::kind_names();
  if (!wanted.kind.empty() && std::ranges::find(kinds, wanted.kind) == kinds.end()) {
    return invalid(
        fmt::format("kind is \"{}\", which nothing is: \"token created\" is one, and \"action refused\"", wanted.kind));
  }
  const auto since = query_parameter(query, "since");
  if (!since) return wanted;
  if (const auto duration = parse_duration(*since)) {
    wanted.since = now - *duration;
  } else if (const auto time = parse_rfc3339(*since).time) {
    wanted.since = time->at;
  } else {
    return invalid(
        fmt::format("since is \"{}\": a time like 2026-01-31T08:00:00Z or a duration like 7d is expected", *since));
  }
  return wanted;
}

/// The newest event before `since`, found by halving: the times of events never go back.
Task<std::expected<EventSeq, Refusal>> last_before(server::Coordinator* coordinator, Instant since, EventSeq newest) {
  std::uint64_t before = 0;
  std::uint64_t end = newest.value + 1;
  while (end - before > 1) {
    const auto middle = before + (end - before) / 2;
    store::EventQuery one;
    one.after = EventSeq{middle - 1};
    one.limit = 1;
    const auto events = co_await coordinator->read_events(one);
    if (!events) co_return std::unexpected(events.error());
    if (!events->empty() && events->front().at < since) {
      before = middle;
    } else {
      end = middle;
    }
  }
  co_return EventSeq{before};
}

}  // namespace

Task<HttpResponse> Api::get_audit(const Call* call) {
  auto look = [this](server::View& view) {
    view.depends_on(EventSeq{});
    return feed_.newest();
  };
  const auto newest = co_await coordinator_.read(std::move(look));
  if (!newest) co_return refused(newest.error());
  auto query = decode_audit_query(call->request->query, clock_.now().wall);
  if (!query) co_return refused(query.error());
  auto& events = query->events;
  if (query->since) {
    const auto start = co_await last_before(&coordinator_, *query->since, *newest);
    if (!start) co_return refused(start.error());
    events.after = std::max(events.after, *start);
  }
  events.limit = kSlice;
  auto response = json_response();
  JsonWriter json(response.body);
  json.begin_object();
  json.key("Events");
  json.begin_array();
  std::uint64_t shown = 0;
  bool more = true;
  for (std::size_t slice = 0; more && slice < kMostSlices && shown < query->limit; ++slice) {
    const auto found = co_await coordinator_.read_events(events);
    if (!found) co_return refused(found.error());
    more = found->size() == kSlice;
    for (const auto& event : *found) {
      if (shown == query->limit) {
        more = true;
        break;
      }
      events.after = event.seq;
      if (!query->shows(event)) continue;
      write_audited_event(json, event);
      ++shown;
    }
  }
  json.end_array();
  json.key("Next");
  if (more) {
    json.number(events.after.value);
  } else {
    json.null();
  }
  json.end_object();
  co_return response;
}

}  // namespace boruta::http
