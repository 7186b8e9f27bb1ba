// The bodies of the API's requests. The input's first line says whose body it is (see `kDecoders`), the rest is the
// body; for the two that stand in a path, the rest is the id.
#include <array>
#include <utility>

#include "base/limits.hpp"
#include "http/decode.hpp"
#include "oracle.hpp"

namespace boruta::http {
namespace {

using fuzz::check;

void check_text(std::string_view text) { check(fuzz::is_utf8(text), "decoded text is UTF-8", text); }
void check_texts(const std::vector<std::string>& texts) {
  for (const auto& text : texts) check_text(text);
}
void check_caps(const Capabilities& caps) {
  for (const auto& [name, value] : caps) {
    check_text(name);
    check_text(value);
  }
}
void check_priority(std::int64_t priority) {
  check(priority >= 0 && priority <= 255, "a priority is a byte", std::to_string(priority));
}

void check_value(const farm::CreateRequest& command) {
  check_caps(command.caps);
  check_priority(command.priority);
}
void check_value(const farm::UpdateRequest& command) {
  if (command.priority) check_priority(*command.priority);
}
void check_value(const farm::RequestQuery& query) {
  check(query.paging.limit <= limits::kListPage, "a page has a limit");
  if (query.filter.owners) check_texts(*query.filter.owners);
}
void check_value(const farm::WorkerQuery& query) {
  check(query.paging.limit <= limits::kListPage, "a page has a limit");
  if (query.filter.groups) check_texts(*query.filter.groups);
  check_caps(query.filter.caps);
}
void check_value(const farm::SetWorkerState& command) { check_text(command.reason); }
void check_value(const std::optional<Groups>& groups) {
  if (groups) check_texts(*groups);
}
void check_value(const farm::CreateUser& command) {
  check_text(command.name);
  check_texts(command.groups);
}
void check_value(const farm::CreateToken& command) {
  check_text(command.user);
  check_text(command.name);
}
void check_value(RequestId /*id*/) {}
void check_value(TokenId /*id*/) {}
void check_value(const WorkerUuid& uuid) {
  check(WorkerUuid::parse(uuid.to_string()) == uuid, "a UUID that is written reads the same");
}

template <class T>
void check_decoded(const Decoded<T>& decoded) {
  if (!decoded) {
    fuzz::check_error(message_of(decoded.error()));
    const auto status = http_status_of(decoded.error().code);
    check(status >= 400 && status < 500, "a bad body is the client's fault", std::to_string(status));
    return;
  }
  check_value(*decoded);
}

using Decoder = void (*)(std::string_view);
constexpr std::array<std::pair<std::string_view, Decoder>, 11> kDecoders{{
    {"create", [](std::string_view body) { check_decoded(decode_create(body)); }},
    {"update", [](std::string_view body) { check_decoded(decode_update(body, RequestId{2})); }},
    {"requests", [](std::string_view body) { check_decoded(decode_request_query(body)); }},
    {"workers", [](std::string_view body) { check_decoded(decode_worker_query(body)); }},
    {"state", [](std::string_view body) { check_decoded(decode_set_state(body, WorkerUuid{})); }},
    {"groups", [](std::string_view body) { check_decoded(decode_groups(body)); }},
    {"user", [](std::string_view body) { check_decoded(decode_new_user(body)); }},
    {"token", [](std::string_view body) { check_decoded(decode_new_token(body)); }},
    {"request-id", [](std::string_view text) { check_decoded(decode_request_id(text)); }},
    {"token-id", [](std::string_view text) { check_decoded(decode_token_id(text)); }},
    {"uuid", [](std::string_view text) { check_decoded(decode_worker_uuid(text)); }},
}};

void decode_body(std::string_view input) {
  const auto whose = fuzz::take_line(input);
  for (const auto& [name, decode] : kDecoders) {
    if (name == whose) return decode(input);
  }
}

}  // namespace
}  // namespace boruta::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  boruta::http::decode_body(boruta::fuzz::text_of(data, size));
  return 0;
}
