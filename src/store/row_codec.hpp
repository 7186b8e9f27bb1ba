#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/json_fields.hpp"
#include "store/sqlite_rows.hpp"

/// A row as a checkpoint keeps it: a JSON object whose members are named as the columns are. It only grows: names are
/// never changed or reused, and a column that is added later is one that older checkpoints may lack.
namespace boruta::store {

template <>
struct Fields<Demand> {
  static void each(auto& field, auto& demand) {
    field("caps", demand.caps);
    field("requirements", demand.requirements);
  }
};

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
  explicit FieldsOfRow(const boost::json::object& object) : reader_(object) {}

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
[[nodiscard]] std::string encode_row(const Row& row) {
  std::string out;
  RowWriter writer(out);
  Columns<Row>::each(writer, row);
  writer.close();
  return out;
}

/// Nothing: it cannot be understood.
template <class Row>
[[nodiscard]] std::optional<Row> decode_row(std::string_view text) {
  boost::json::error_code error;
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  const auto* object = error ? nullptr : value.if_object();
  if (object == nullptr) return std::nullopt;
  Row row{};
  FieldsOfRow fields(*object);
  Columns<Row>::each(fields, row);
  if (!fields.well()) return std::nullopt;
  return row;
}

}  // namespace boruta::store
