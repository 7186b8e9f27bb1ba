#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <concepts>
#include <functional>
#include <limits>

#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode.hpp"
#include "http/url.hpp"

/// Histories: what happened to one request or worker, what happens as it happens, and who had what for how long.
namespace boruta::http {
namespace {

using namespace std::chrono_literals;

/// A silent stream says that it lives so often, lest something between closes it.
constexpr Duration kKeepAlive = 15s;
/// How many requests are looked at before others get their turn.
constexpr std::uint64_t kUsageSlice = 4'096;

std::unexpected<Refusal> invalid(std::string detail) {
  return std::unexpected(Refusal{.code = RefusalCode::kInvalid, .detail = std::move(detail)});
}

/// A number of the query; `otherwise` if it is not given.
Decoded<std::uint64_t> query_number(const Call& call, std::string_view name, std::uint64_t otherwise,
                                    std::uint64_t highest) {
  const auto text = query_parameter(call.request->query, name);
  if (!text) return otherwise;
  const auto number = decode_number(*text);
  if (!number || *number > highest) {
    return invalid(fmt::format("{} is \"{}\": a number from 0 to {} is expected", name, *text, highest));
  }
  return *number;
}

/// Which events a stream shows: those that `actor` may see, of one request or worker if one is named.
struct EventFilter {
  std::optional<RequestId> request;
  std::optional<WorkerUuid> worker;
};

/// Who may use the farm and how, and what was refused to whom: no other user's business.
template <class Event>
constexpr bool kForAdmins = std::same_as<Event, farm::UserCreated> || std::same_as<Event, farm::UserGroupsSet> ||
                            std::same_as<Event, farm::UserDeleted> || std::same_as<Event, farm::TokenCreated> ||
                            std::same_as<Event, farm::TokenBound> || std::same_as<Event, farm::TokenRevoked> ||
                            std::same_as<Event, farm::TokenUsed> || std::same_as<Event, farm::UserKeyAdded> ||
                            std::same_as<Event, farm::UserKeyRemoved> || std::same_as<Event, farm::UserCeilingsSet> ||
                            std::same_as<Event, farm::GroupCeilingsSet> || std::same_as<Event, farm::ActionRefused>;

bool only_for_admins(const farm::EventBody& body) {
  return std::visit([]<class Event>(const Event&) { return kForAdmins<Event>; }, body);
}

bool shows(const EventFilter& filter, const farm::Actor& actor, const farm::EventBody& body) {
  // Nothing happened.
  if (std::holds_alternative<farm::Checkpoint>(body)) return false;
  if (actor.kind != farm::Actor::Kind::kAdmin && only_for_admins(body)) return false;
  if (filter.request && farm::request_of(body) != filter.request) return false;
  return !filter.worker || farm::worker_of(body) == filter.worker;
}

std::string too_old(EventSeq after) {
  return fmt::format(
      "what came after event {} is not kept any more: connect without Last-Event-ID, and look at requests and workers "
      "for what was missed",
      after.value);
}

/// https://html.spec.whatwg.org/multipage/server-sent-events.html
class EventStream final : public BodyStream {
 public:
  using Authenticate = std::function<Task<std::expected<farm::Actor, Refusal>>()>;

  EventStream(server::EventFeed* feed, EventSeq after, EventFilter filter, Authenticate authenticate)
      : reader_(feed, after), seen_(after), filter_(filter), authenticate_(std::move(authenticate)) {}

  Task<std::optional<std::string>> next() override {
    if (std::exchange(ended_, false)) co_return std::nullopt;
    // Who loses the connection before the first event resumes from here.
    if (std::exchange(fresh_, false)) co_return fmt::format("retry: 1000\nid: {}\n\n", seen_.value);
    const auto events = co_await reader_.next(kKeepAlive);
    if (!events) co_return last_words(events.error());
    // A token may be revoked at any time, and its owner then hears nothing more.
    const auto actor = co_await authenticate_();
    if (!actor) co_return std::nullopt;
    if (events->empty()) co_return ": still here\n\n";
    co_return text_of(*events, *actor);
  }

 private:
  std::optional<std::string> last_words(server::FeedEnd end) {
    if (end == server::FeedEnd::kStopped) return std::nullopt;
    ended_ = true;
    if (end == server::FeedEnd::kForgotten) {
      return fmt::format("event: dropped\ndata: {{\"message\":\"{}\"}}\n\n", too_old(seen_));
    }
    return fmt::format(
        "event: dropped\ndata: {{\"message\":\"you fell more than {} events behind; resume with Last-Event-ID "
        "{}\"}}\n\n",
        limits::kSubscriberBacklog, seen_.value);
  }

  std::string text_of(const farm::Events& events, const farm::Actor& actor) {
    std::string text;
    bool told = false;
    for (const auto& event : events) {
      seen_ = event.seq;
      told = shows(filter_, actor, event.body);
      if (!told) continue;
      fmt::format_to(std::back_inserter(text), "id: {}\nevent: {}\ndata: ", event.seq.value, farm::kind_of(event.body));
      JsonWriter json(text);
      write_event(json, event, filter_.worker ? Subject::kWorker : Subject::kRequest);
      text += "\n\n";
    }
    // Without data it is no event, yet the client remembers where it is.
    if (!told) text += fmt::format("id: {}\n\n", seen_.value);
    return text;
  }

  server::EventFeed::Reader reader_;
  EventSeq seen_;
  EventFilter filter_;
  Authenticate authenticate_;
  bool fresh_ = true;
  bool ended_ = false;
};

/// Since when, from RFC 3339 or a duration before `now`. A week if it is not given.
Decoded<Instant> query_since(const Call& call, Instant now) {
  const auto text = query_parameter(call.request->query, "since");
  if (!text) return now - 7 * 24h;
  if (const auto duration = parse_duration(*text)) return now - *duration;
  if (const auto time = parse_rfc3339(*text).time) return time->at;
  return invalid(
      fmt::format("since is \"{}\": a time like 2026-01-31T08:00:00Z or a duration like 7d is expected", *text));
}

bool had_worker_since(const farm::Request& request, Instant since) {
  return request.job && (!farm::is_terminal(request.state) || request.changed >= since);
}

}  // namespace

Task<HttpResponse> Api::history(const Call* call, store::EventQuery subject) {
  constexpr std::uint64_t kUsualPage = 1'000;
  const auto after = query_number(*call, "after", 0, std::numeric_limits<std::int64_t>::max());
  if (!after) co_return refused(after.error());
  const auto limit = query_number(*call, "limit", kUsualPage, limits::kListPage);
  if (!limit) co_return refused(limit.error());
  subject.after = EventSeq{*after};
  subject.limit = *limit == 0 ? kUsualPage : *limit;
  const auto about = subject.worker ? Subject::kWorker : Subject::kRequest;
  const auto events = co_await coordinator_.read_events(subject);
  if (!events) co_return refused(events.error());
  auto response = json_response();
  JsonWriter json(response.body);
  json.begin_array();
  for (const auto& event : *events) write_event(json, event, about);
  json.end_array();
  co_return response;
}

Task<HttpResponse> Api::get_request_events(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  auto check = [id = *id](server::View& view) {
    const auto request = view.farm().find_request(id);
    if (request != nullptr) view.depends_on(request->last_event);
    return request != nullptr;
  };
  const auto known = co_await coordinator_.read(std::move(check));
  if (!known) co_return refused(known.error());
  if (!*known) co_return refused({.code = RefusalCode::kRequestNotFound, .detail = {}});
  const store::EventQuery subject{.after = {}, .request = *id, .worker = std::nullopt};
  co_return co_await history(call, subject);
}

Task<HttpResponse> Api::get_worker_events(const Call* call) {
  const auto uuid = decode_worker_uuid(call->id);
  if (!uuid) co_return refused(uuid.error());
  const store::EventQuery subject{.after = {}, .request = std::nullopt, .worker = *uuid};
  // Also of one that is deregistered: "who had it?" is asked later.
  auto answer = co_await history(call, subject);
  if (answer.body != "[]") co_return answer;
  auto check = [uuid = *uuid](server::View& view) { return view.farm().find_worker(uuid) != nullptr; };
  const auto known = co_await coordinator_.read(std::move(check));
  if (!known) co_return refused(known.error());
  if (!*known) co_return refused({.code = RefusalCode::kWorkerNotFound, .detail = {}});
  co_return answer;
}

Task<HttpResponse> Api::get_events(const Call* call) {
  EventFilter filter;
  if (const auto text = query_parameter(call->request->query, "request")) {
    const auto id = decode_request_id(*text);
    if (!id) co_return refused(id.error());
    filter.request = *id;
  }
  if (const auto text = query_parameter(call->request->query, "worker")) {
    const auto uuid = decode_worker_uuid(*text);
    if (!uuid) co_return refused(uuid.error());
    filter.worker = *uuid;
  }
  auto look = [this](server::View& view) {
    view.depends_on(EventSeq{});
    return feed_.newest();
  };
  const auto newest = co_await coordinator_.read(std::move(look));
  if (!newest) co_return refused(newest.error());
  auto after = *newest;
  if (const auto text = find_header(*call->request, "Last-Event-ID"); !text.empty()) {
    const auto id = decode_number(text);
    if (!id || EventSeq{*id} > *newest) {
      co_return refused({.code = RefusalCode::kInvalid,
                         .detail = fmt::format("Last-Event-ID is \"{}\": a number from 0 to {}, the newest event's, "
                                               "is expected",
                                               text, newest->value)});
    }
    after = EventSeq{*id};
    if (*id + 1 < feed_.oldest().value) co_return refused({.code = RefusalCode::kGone, .detail = too_old(after)});
  }
  auto authenticate = [this, token = token_of(*call->request), address = call->actor.address] {
    return this->authenticate(token, address);
  };
  HttpResponse response;
  response.headers.push_back({"Content-Type", "text/event-stream"});
  response.headers.push_back({"Cache-Control", "no-store"});
  response.stream = std::make_shared<EventStream>(&feed_, after, filter, std::move(authenticate));
  co_return response;
}

Task<HttpResponse> Api::get_usage(const Call* call) {
  auto response = json_response();
  JsonWriter json(response.body);
  json.begin_array();
  std::size_t rows = 0;
  std::optional<Instant> known_since;
  for (auto first = std::optional(RequestId{1}); first;) {
    auto write_slice = [&](server::View& view) -> std::expected<std::optional<RequestId>, Refusal> {
      const auto since = query_since(*call, view.now().wall);
      if (!since) return std::unexpected(since.error());
      const auto& columns = view.farm().list_columns();
      auto next = columns.first_from(*first);
      for (std::uint64_t looked = 0; next && looked < kUsageSlice; ++looked) {
        const auto request = view.farm().find_request(*next);
        next = columns.first_from({next->value + 1});
        if (!had_worker_since(*request, *since)) continue;
        if (++rows > limits::kListPage) {
          return invalid(fmt::format("more than {} jobs ran since then: ask for a shorter time", limits::kListPage));
        }
        write_usage(json, view.farm(), *request, view.now());
      }
      const auto forgotten = view.farm().forgotten_until();
      if (forgotten && *forgotten >= *since) known_since = forgotten;
      return next;
    };
    const auto next = co_await coordinator_.read(std::move(write_slice));
    if (!next) co_return refused(next.error());
    if (!*next) co_return refused((*next).error());
    first = **next;
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }
  json.end_array();
  if (known_since) response.headers.push_back({"Boruta-Known-Since", format_rfc3339(WallTime{.at = *known_since})});
  co_return response;
}

}  // namespace boruta::http
