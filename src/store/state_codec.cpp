#include "store/state_codec.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "store/json_fields.hpp"
#include "store/sqlite_rows.hpp"

namespace boruta::store {

template <>
struct Fields<Demand> {
  static void each(auto& field, auto& demand) {
    field("caps", demand.caps);
    field("requirements", demand.requirements);
  }
};

namespace {

namespace json = boost::json;

/// Writes the columns of one row.
class RowWriter {
 public:
  explicit RowWriter(std::string& out) : writer_(out) {}

  template <class Value>
  void operator()(std::string_view column, const Value& value) {
    writer_(column, value);
  }
  /// A checkpoint needs no table of demands beside it.
  void operator()(std::string_view /*column*/, const SharedDemand& demand) { writer_("demand", *demand); }

  void close() { writer_.close(); }

 private:
  ObjectWriter writer_;
};

/// Reads them; what a row lacks keeps its default.
class FieldsOfRow {
 public:
  explicit FieldsOfRow(const json::object& object) : reader_(object) {}

  template <class Value>
  void operator()(std::string_view column, Value& value) {
    reader_.or_default(column, value);
  }
  template <class Value>
  void operator()(std::string_view column, std::optional<Value>& value) {
    reader_(column, value);
  }
  void operator()(std::string_view /*column*/, SharedDemand& demand) {
    Demand read;
    reader_("demand", read);
    demand = std::make_shared<const Demand>(std::move(read));
  }

  [[nodiscard]] bool well() const { return !reader_.problem(); }

 private:
  ObjectReader reader_;
};

template <class Row>
void append_table(std::string& out, const std::vector<Row>& rows) {
  append_json_string(out, Columns<Row>::kTable);
  out += ":[";
  for (const auto& row : rows) {
    if (&row != rows.data()) out.push_back(',');
    RowWriter writer(out);
    Columns<Row>::each(writer, row);
    writer.close();
  }
  out += "],";
}

template <class Row>
bool read_table(const json::object& state, std::vector<Row>& rows) {
  const auto table = Columns<Row>::kTable;
  const auto* found = state.if_contains(json::string_view(table.data(), table.size()));
  const auto* array = found == nullptr ? nullptr : found->if_array();
  if (array == nullptr) return false;
  rows.resize(array->size());
  for (std::size_t number = 0; number < rows.size(); ++number) {
    const auto* object = (*array)[number].if_object();
    if (object == nullptr) return false;
    FieldsOfRow fields(*object);
    Columns<Row>::each(fields, rows[number]);
    if (!fields.well()) return false;
  }
  return true;
}

std::vector<StoredJob> jobs_of(const std::vector<farm::Request>& requests) {
  std::vector<StoredJob> jobs;
  for (const auto& request : requests) {
    if (request.job) jobs.push_back({.request = request.id, .job = *request.job});
  }
  return jobs;
}

/// False: one of them belongs to none of the requests. Both are in order.
bool give_jobs(std::vector<farm::Request>& requests, const std::vector<StoredJob>& jobs) {
  auto owner = requests.begin();
  for (const auto& stored : jobs) {
    while (owner != requests.end() && owner->id < stored.request) ++owner;
    if (owner == requests.end() || owner->id != stored.request) return false;
    owner->job = stored.job;
  }
  return true;
}

/// What is no row.
void each_counter(auto& field, auto& state) {
  field("last_event", state.last_event);
  field("last_request", state.last_request);
  field("forgotten_until_ns", state.forgotten_until);
}

std::unexpected<std::string> wrong(std::string_view what) {
  return std::unexpected(fmt::format("the checkpoint's {} cannot be understood", what));
}

}  // namespace

std::string encode_state(const farm::Rows& state) {
  std::string out = "{";
  append_table(out, state.users);
  append_table(out, state.groups);
  append_table(out, state.tokens);
  append_table(out, state.requests);
  append_table(out, jobs_of(state.requests));
  append_table(out, state.workers);
  append_table(out, state.creations);
  append_table(out, state.user_keys);
  append_json_string(out, "counters");
  out.push_back(':');
  ObjectWriter counters(out);
  each_counter(counters, state);
  counters.close();
  out.push_back('}');
  return out;
}

std::expected<farm::Rows, std::string> decode_state(std::string_view text) {
  json::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error);
  const auto* object = error ? nullptr : value.if_object();
  if (object == nullptr) return wrong("state");
  farm::Rows state;
  std::vector<StoredJob> jobs;
  if (!read_table(*object, state.users)) return wrong("users");
  if (!read_table(*object, state.groups)) return wrong("groups");
  if (!read_table(*object, state.tokens)) return wrong("tokens");
  if (!read_table(*object, state.requests)) return wrong("requests");
  if (!read_table(*object, jobs) || !give_jobs(state.requests, jobs)) return wrong("jobs");
  if (!read_table(*object, state.workers)) return wrong("workers");
  if (!read_table(*object, state.creations)) return wrong("creations");
  if (!read_table(*object, state.user_keys)) return wrong("user_keys");
  const auto* counters = object->if_contains("counters");
  if (counters == nullptr || !counters->is_object()) return wrong("counters");
  ObjectReader reader(counters->as_object());
  each_counter(reader, state);
  if (reader.problem()) return wrong("counters");
  return state;
}

}  // namespace boruta::store
