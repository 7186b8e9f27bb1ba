#include "store/json_fields.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace boruta::store {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::array<std::pair<farm::Actor::Kind, std::string_view>, 4> kActorKinds{
    {{farm::Actor::Kind::kServer, "server"},
     {farm::Actor::Kind::kUser, "user"},
     {farm::Actor::Kind::kAdmin, "admin"},
     {farm::Actor::Kind::kAgent, "agent"}}};

struct LeadByte {
  std::size_t length;         ///< of the whole sequence; 0: no sequence starts so
  unsigned char second_low;   ///< the range of the second byte rules out overlong forms, surrogates and what
  unsigned char second_high;  ///< lies beyond U+10FFFF
};

LeadByte lead_byte(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

/// Length of the valid UTF-8 sequence at the start of `text`, which is not empty; 0 when there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte_at = [text](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const auto lead = lead_byte(byte_at(0));
  if (lead.length <= 1) return lead.length;
  if (text.size() < lead.length) return 0;
  if (byte_at(1) < lead.second_low || byte_at(1) > lead.second_high) return 0;
  for (std::size_t index = 2; index < lead.length; ++index) {
    if ((byte_at(index) & 0xC0U) != 0x80U) return 0;
  }
  return lead.length;
}

void append_ascii(std::string& out, char character) {
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr char kDelete = 0x7F;
  if (character < ' ' || character == kDelete) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(character));
  } else {
    out.push_back(character);
  }
}

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

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const auto length = sequence_length(text);
    if (length == 0) {
      out += kReplacement;
    } else if (length == 1) {
      append_ascii(out, text.front());
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
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
