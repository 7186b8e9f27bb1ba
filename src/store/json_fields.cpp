#include "store/json_fields.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace boruta::store {
namespace {

constexpr std::array<std::pair<farm::Actor::Kind, std::string_view>, 4> kActorKinds{
    {{farm::Actor::Kind::kServer, "server"},
     {farm::Actor::Kind::kUser, "user"},
     {farm::Actor::Kind::kAdmin, "admin"},
     {farm::Actor::Kind::kAgent, "agent"}}};

std::optional<std::string_view> text_of(const boost::json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return std::nullopt;
  return std::string_view(text->data(), text->size());
}

template <class Value>
bool take(const std::optional<Value>& parsed, Value& value) {
  if (parsed) value = *parsed;
  return parsed.has_value();
}

}  // namespace

std::string_view to_string(farm::Actor::Kind kind) { return kActorKinds.at(static_cast<std::size_t>(kind)).second; }

std::optional<farm::Actor::Kind> parse_actor_kind(std::string_view text) {
  for (const auto& [kind, name] : kActorKinds) {
    if (name == text) return kind;
  }
  return std::nullopt;
}

void append_json(std::string& out, const Requirement& requirement) {
  append_json_string(out, format_requirement(requirement));
}

void append_json(std::string& out, const Capabilities& caps) {
  ObjectWriter writer(out);
  for (const auto& [name, value] : caps) writer(name, value);
  writer.close();
}

bool read_json(const boost::json::value& value, farm::Priority& priority) { return read_json(value, priority.value); }

bool read_json(const boost::json::value& value, Duration& duration) {
  Duration::rep nanoseconds = 0;
  if (!read_json(value, nanoseconds)) return false;
  duration = Duration(nanoseconds);
  return true;
}

bool read_json(const boost::json::value& value, Instant& instant) {
  Duration since_epoch{};
  if (!read_json(value, since_epoch)) return false;
  instant = Instant(since_epoch);
  return true;
}

bool read_json(const boost::json::value& value, WorkerUuid& uuid) {
  const auto text = text_of(value);
  return text && take(WorkerUuid::parse(*text), uuid);
}

bool read_json(const boost::json::value& value, std::string& text) {
  const auto found = text_of(value);
  if (found) text = *found;
  return found.has_value();
}

bool read_json(const boost::json::value& value, Capabilities& caps) {
  const auto* object = value.if_object();
  if (object == nullptr) return false;
  caps.clear();
  for (const auto& [name, entry] : *object) {
    if (!read_json(entry, caps[std::string(name.data(), name.size())])) return false;
  }
  return true;
}

bool read_json(const boost::json::value& value, Requirement& requirement) {
  const auto text = text_of(value);
  if (!text) return false;
  auto parsed = parse_requirement(*text);
  if (parsed) requirement = std::move(*parsed);
  return parsed.has_value();
}

bool read_json(const boost::json::value& value, farm::RequestState& state) {
  const auto text = text_of(value);
  return text && take(farm::parse_request_state(*text), state);
}

bool read_json(const boost::json::value& value, farm::WorkerState& state) {
  const auto text = text_of(value);
  return text && take(farm::parse_worker_state(*text), state);
}

bool read_json(const boost::json::value& value, farm::Role& role) {
  const auto text = text_of(value);
  return text && take(farm::parse_role(*text), role);
}

bool read_json(const boost::json::value& value, farm::Actor::Kind& kind) {
  const auto text = text_of(value);
  return text && take(parse_actor_kind(*text), kind);
}

}  // namespace boruta::store
