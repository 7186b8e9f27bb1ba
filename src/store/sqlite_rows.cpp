#include "store/sqlite_rows.hpp"

#include <algorithm>
#include <array>

#include "store/json_fields.hpp"

namespace boruta::store {
namespace {

template <class Value>
std::string json_of(const Value& value) {
  std::string json;
  append_json(json, value);
  return json;
}

template <class Value>
bool take(const std::optional<Value>& parsed, Value& value) {
  if (parsed) value = *parsed;
  return parsed.has_value();
}

}  // namespace

void RowBinder::put(int index, const Secret& secret) {
  const auto text = secret.reveal();
  statement_->bind_blob(index, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void RowBinder::put(int index, const Groups& groups) { statement_->bind_text_copy(index, json_of(groups)); }

void RowBinder::put(int index, const std::vector<WorkerUuid>& workers) {
  statement_->bind_text_copy(index, json_of(workers));
}

void RowBinder::put(int index, const farm::Registration& registration) {
  statement_->bind_text_copy(index, json_of(registration));
}

bool RowReader::get(int column, farm::RequestState& state) {
  return take(farm::parse_request_state(statement_->text(column)), state);
}

bool RowReader::get(int column, farm::WorkerState& state) {
  return take(farm::parse_worker_state(statement_->text(column)), state);
}

bool RowReader::get(int column, farm::Role& role) { return take(farm::parse_role(statement_->text(column)), role); }

bool RowReader::get(int column, WorkerUuid& uuid) {
  const auto bytes = statement_->blob(column);
  std::array<std::uint8_t, 16> copy{};
  if (bytes.size() != copy.size()) return false;
  std::ranges::copy(bytes, copy.begin());
  uuid = WorkerUuid::from_bytes(copy);
  return true;
}

bool RowReader::get(int column, Secret& secret) {
  const auto bytes = statement_->blob(column);
  secret = Secret(std::string(bytes.begin(), bytes.end()));
  return true;
}

bool RowReader::get(int column, Groups& groups) { return parse_json(statement_->text(column), groups); }

bool RowReader::get(int column, std::vector<WorkerUuid>& workers) {
  return parse_json(statement_->text(column), workers);
}

bool RowReader::get(int column, farm::Registration& registration) {
  return parse_json(statement_->text(column), registration);
}

bool RowReader::get(int column, SharedDemand& demand) {
  demand = demands_->find(statement_->integer(column));
  return demand != nullptr;
}

}  // namespace boruta::store
