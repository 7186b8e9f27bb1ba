#include "http/decode.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <utility>

#include "base/json.hpp"
#include "http/message.hpp"

namespace boruta::http {
namespace {

std::unexpected<Refusal> invalid(std::string detail) {
  return std::unexpected(Refusal{.code = RefusalCode::kInvalid, .detail = std::move(detail)});
}

/// Parses a body that must be there, and lets `read` take its fields.
template <class Read>
Decoded<void> read_object(std::string_view body, Read read) {
  if (body.empty()) return std::unexpected(Refusal{.code = RefusalCode::kNoBody, .detail = {}});
  auto value = parse_json(body);
  if (!value) return invalid(std::move(value.error()));
  std::string error;
  JsonFields fields(*value, {}, error);
  read(fields);
  if (!error.empty()) return invalid(std::move(error));
  return {};
}

template <class Item>
std::optional<std::vector<Item>> unless_empty(std::vector<Item> list) {
  if (list.empty()) return std::nullopt;
  return list;
}

/// What lists of both kinds share.
struct ListFields {
  std::string item;
  std::string order;
  std::string direction;
  std::optional<std::int64_t> limit;
};

void read_sorter(JsonFields& sorter, ListFields& out) {
  sorter.text("Item", out.item);
  sorter.text("Order", out.order);
}

void read_paginator(JsonFields& paginator, ListFields& out) {
  paginator.text("Direction", out.direction);
  paginator.integer("Limit", out.limit, 0, limits::kListPage);
}

/// A word and what it means; the first is also meant by no word.
template <class Value>
using Word = std::pair<std::string_view, Value>;

template <class Value, std::size_t N>
std::optional<Value> find_word(const Word<Value> (&words)[N], std::string_view word) {
  if (word.empty()) return words[0].second;
  for (const auto& [name, value] : words) {
    if (equal_ignoring_case(name, word)) return value;
  }
  return std::nullopt;
}

constexpr Word<farm::SortOrder> kOrders[] = {{"ascending", farm::SortOrder::kAscending},
                                             {"descending", farm::SortOrder::kDescending}};
constexpr Word<farm::PageDirection> kDirections[] = {{"forward", farm::PageDirection::kForward},
                                                     {"backward", farm::PageDirection::kBackward}};
constexpr Word<farm::RequestSort> kRequestItems[] = {{"id", farm::RequestSort::kId},
                                                     {"priority", farm::RequestSort::kPriority},
                                                     {"state", farm::RequestSort::kState},
                                                     {"deadline", farm::RequestSort::kDeadline},
                                                     {"validafter", farm::RequestSort::kValidAfter}};
constexpr Word<farm::WorkerSort> kWorkerItems[] = {
    {"uuid", farm::WorkerSort::kUuid}, {"state", farm::WorkerSort::kState}, {"groups", farm::WorkerSort::kGroups}};

/// Fills in `query` what both kinds share.
template <class Query, class Sort, std::size_t N>
Decoded<void> apply_list_fields(const ListFields& fields, const Word<Sort> (&items)[N], Query& query) {
  const auto order = find_word(kOrders, fields.order);
  if (!order) return invalid("unknown sort order (valid: ascending or descending)");
  const auto direction = find_word(kDirections, fields.direction);
  if (!direction) return invalid("unknown direction (valid: forward or backward)");
  const auto item = find_word(items, fields.item);
  if (!item) return invalid("unknown name of item by which list should be sorted");
  query.sort = *item;
  query.paging.order = *order;
  query.paging.direction = *direction;
  if (fields.limit.value_or(0) > 0) query.paging.limit = static_cast<std::size_t>(*fields.limit);
  return {};
}

/// Words that name no state match no request.
std::optional<std::vector<farm::RequestState>> parse_states(const std::vector<std::string>& words) {
  if (words.empty()) return std::nullopt;
  std::vector<farm::RequestState> states;
  for (std::string word : words) {
    for (auto& character : word) {
      if (character >= 'a' && character <= 'z') character = static_cast<char>(character - ('a' - 'A'));
    }
    if (const auto state = farm::parse_request_state(word)) states.push_back(*state);
  }
  return states;
}

/// The member `name` of the body, as what is done with `what`.
Decoded<agent::BoardAction> decode_board_action(std::string_view body, std::string_view name, std::string_view what,
                                                std::string_view wanted) {
  std::string how;
  std::optional<agent::BoardAction> action;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.text(name, how);
    action = agent::parse_board_action(fmt::format("{} {}", what, how));
    if (!action) fields.complain(name, how, wanted);
  });
  if (!read) return std::unexpected(read.error());
  return *action;
}

}  // namespace

std::optional<std::uint64_t> decode_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Decoded<RequestId> decode_request_id(std::string_view text) {
  const auto number = decode_number(text);
  if (!number) return invalid("ID provided in URL isn't valid");
  return RequestId{*number};
}

Decoded<WorkerUuid> decode_worker_uuid(std::string_view text) {
  const auto uuid = WorkerUuid::parse(text);
  if (!uuid) return invalid("ID provided in URL isn't valid UUID");
  return *uuid;
}

Decoded<farm::CreateRequest> decode_create(std::string_view body) {
  farm::CreateRequest command;
  std::optional<std::int64_t> priority;
  std::vector<std::string> requirements;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.integer("Priority", priority, 0, 255, "a whole number from 1 to 16");
    fields.time("Deadline", command.deadline);
    fields.time("ValidAfter", command.valid_after);
    fields.caps("Caps", command.caps);
    fields.texts("Requirements", requirements);
    fields.duration("Lease", command.lease);
    fields.duration("ClaimWithin", command.claim_within);
  });
  if (!read) return std::unexpected(read.error());
  auto parsed = parse_requirements(requirements);
  if (!parsed) return invalid(std::move(parsed.error()));
  command.requirements = std::move(*parsed);
  command.priority = priority.value_or(0);
  return command;
}

Decoded<farm::UpdateRequest> decode_update(std::string_view body, RequestId id) {
  farm::UpdateRequest command{.id = id};
  std::optional<std::uint64_t> written_id;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.unsigned_integer("ID", written_id);
    fields.integer("Priority", command.priority, 0, 255, "a whole number from 1 to 16");
    fields.time("Deadline", command.deadline);
    fields.time("ValidAfter", command.valid_after);
  });
  if (!read) return std::unexpected(read.error());
  if (written_id.value_or(0) != 0 && *written_id != id.value) {
    return invalid("request ID set in JSON doesn't match ID from URL");
  }
  if (command.priority == 0) command.priority.reset();
  return command;
}

Decoded<farm::RequestQuery> decode_request_query(std::string_view body) {
  farm::RequestQuery query;
  if (body.empty()) return query;
  ListFields list;
  std::vector<std::uint64_t> ids;
  std::vector<std::int64_t> priorities;
  std::vector<std::string> states;
  std::vector<std::string> owners;
  std::optional<std::uint64_t> border;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.object("Filter", [&](JsonFields& filter) {
      filter.unsigned_integers("IDs", ids);
      filter.integers("Priorities", priorities, 0, 255);
      filter.texts("States", states);
      filter.texts("Owners", owners);
    });
    fields.object("Sorter", [&](JsonFields& sorter) { read_sorter(sorter, list); });
    fields.object("Paginator", [&](JsonFields& paginator) {
      paginator.unsigned_integer("ID", border);
      read_paginator(paginator, list);
    });
  });
  if (!read) return std::unexpected(read.error());
  if (!ids.empty()) query.filter.ids.emplace();
  for (const auto id : ids) query.filter.ids->push_back(RequestId{id});
  query.filter.priorities = unless_empty(std::move(priorities));
  query.filter.states = parse_states(states);
  query.filter.owners = unless_empty(std::move(owners));
  if (border.value_or(0) != 0) query.border = RequestId{*border};
  if (const auto applied = apply_list_fields(list, kRequestItems, query); !applied) {
    return std::unexpected(applied.error());
  }
  return query;
}

Decoded<farm::WorkerQuery> decode_worker_query(std::string_view body) {
  farm::WorkerQuery query;
  if (body.empty()) return query;
  ListFields list;
  Groups groups;
  std::string border;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.object("Filter", [&](JsonFields& filter) {
      filter.texts("Groups", groups);
      filter.caps("Capabilities", query.filter.caps);
    });
    fields.object("Sorter", [&](JsonFields& sorter) { read_sorter(sorter, list); });
    fields.object("Paginator", [&](JsonFields& paginator) {
      paginator.text("ID", border);
      read_paginator(paginator, list);
    });
  });
  if (!read) return std::unexpected(read.error());
  query.filter.groups = unless_empty(std::move(groups));
  if (const auto applied = apply_list_fields(list, kWorkerItems, query); !applied) {
    return std::unexpected(applied.error());
  }
  if (border.empty()) return query;
  query.border = WorkerUuid::parse(border);
  if (!query.border) {
    return std::unexpected(Refusal{.code = RefusalCode::kPageBorderNotFound, .detail = "worker"});
  }
  return query;
}

Decoded<farm::SetWorkerState> decode_set_state(std::string_view body, WorkerUuid uuid) {
  farm::SetWorkerState command{.uuid = uuid};
  std::string state;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.text("WorkerState", state);
    fields.text("Reason", command.reason);
    fields.boolean("Drain", command.drain);
  });
  if (!read) return std::unexpected(read.error());
  const auto parsed = farm::parse_worker_state(state);
  if (!parsed) return invalid("Only state changes to IDLE and MAINTENANCE are allowed");
  command.state = *parsed;
  return command;
}

Decoded<std::optional<Groups>> decode_groups(std::string_view body) {
  if (body.empty()) return std::unexpected(Refusal{.code = RefusalCode::kNoBody, .detail = {}});
  auto value = parse_json(body);
  if (!value) return invalid(std::move(value.error()));
  auto groups = read_texts(*value, "the body");
  if (!groups) return invalid(std::move(groups.error()));
  return std::move(*groups);
}

Decoded<agent::BoardAction> decode_power(std::string_view body) {
  return decode_board_action(body, "Power", "power", R"("on", "off" or "cycle")");
}

Decoded<agent::BoardAction> decode_sd(std::string_view body) {
  return decode_board_action(body, "SD", "sd", R"("host" or "dut")");
}

Decoded<farm::CreateUser> decode_new_user(std::string_view body) {
  farm::CreateUser command;
  std::string role;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.text("Name", command.name);
    fields.texts("Groups", command.groups);
    fields.text("Role", role);
    if (role.empty()) return;
    const auto parsed = farm::parse_role(role);
    if (!parsed || *parsed == farm::Role::kWorker) return fields.complain("Role", role, "\"user\" or \"admin\"");
    command.role = *parsed;
  });
  if (!read) return std::unexpected(read.error());
  return command;
}

Decoded<farm::Ceilings> decode_ceilings(std::string_view body) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  std::optional<std::int64_t> priority;
  std::optional<std::int64_t> running;
  std::optional<std::int64_t> waiting;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.integer("Priority", priority, limits::kHighestPriority, limits::kLowestPriority);
    fields.integer("Running", running, 0, kMost);
    fields.integer("Waiting", waiting, 0, kMost);
  });
  if (!read) return std::unexpected(read.error());
  farm::Ceilings ceilings;
  if (priority) ceilings.priority = farm::Priority{static_cast<std::uint8_t>(*priority)};
  if (running) ceilings.running = static_cast<std::uint32_t>(*running);
  if (waiting) ceilings.waiting = static_cast<std::uint32_t>(*waiting);
  return ceilings;
}

Decoded<farm::CreateToken> decode_new_token(std::string_view body) {
  farm::CreateToken command;
  std::string role;
  std::optional<WallTime> expires;
  std::optional<std::int64_t> max_workers;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.text("Role", role);
    fields.text("User", command.user);
    fields.text("Name", command.name);
    fields.time("Expires", expires);
    fields.boolean("Reusable", command.reusable);
    fields.integer("MaxWorkers", max_workers, 1, limits::kWorkersOfToken);
    fields.boolean("InService", command.in_service);
    if (role == "worker") {
      command.role = farm::Role::kWorker;
    } else if (!role.empty()) {
      fields.complain("Role", role, "\"worker\", or nothing for a user's token,");
    }
  });
  if (!read) return std::unexpected(read.error());
  if (expires) command.expires = expires->at;
  if (max_workers) command.max_workers = static_cast<std::uint32_t>(*max_workers);
  return command;
}

Decoded<TokenId> decode_token_id(std::string_view text) {
  const auto number = decode_number(text);
  if (!number) return invalid("ID provided in URL isn't valid");
  return TokenId{*number};
}

Decoded<NewKey> decode_new_key(std::string_view body) {
  NewKey wanted;
  const auto read = read_object(body, [&](JsonFields& fields) {
    fields.text("Key", wanted.key);
    fields.text("Name", wanted.name);
    fields.text("User", wanted.user);
  });
  if (!read) return std::unexpected(read.error());
  return wanted;
}

Decoded<farm::UserKeyId> decode_key_id(std::string_view text) {
  const auto number = decode_number(text);
  if (!number) return invalid("ID provided in URL isn't valid");
  return farm::UserKeyId{*number};
}

}  // namespace boruta::http
