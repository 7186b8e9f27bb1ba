#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/caps.hpp"
#include "base/instant.hpp"

namespace boruta::client {

namespace json = boost::json;

/// Reads the fields of one object; the first that is wrong is kept and ends the rest.
class Reader {
 public:
  Reader(const json::object& object, std::string_view what) : object_(object), what_(what) {}

  void text(std::string_view key, std::string& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return complain(key, "a string");
    out.assign(value->get_string().begin(), value->get_string().end());
  }

  void boolean(std::string_view key, bool& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_bool()) return complain(key, "true or false");
    out = value->get_bool();
  }

  template <class Number>
  void number(std::string_view key, Number& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    boost::system::error_code error;
    const auto wide = value->to_number<std::uint64_t>(error);
    if (error || wide > std::numeric_limits<Number>::max()) return complain(key, "a number in range");
    out = static_cast<Number>(wide);
  }

  template <class Number>
  void number(std::string_view key, std::optional<Number>& out) {
    if (find(key) == nullptr) return;
    Number plain{};
    number(key, plain);
    out = plain;
  }

  /// Zero and missing times are nothing; so are times out of our range, which only 0.2.1 can hold.
  void time(std::string_view key, std::optional<Instant>& out) {
    std::string written;
    text(key, written);
    if (written.empty()) return;
    const auto parsed = parse_rfc3339(written);
    if (parsed.error == TimeParseError::kSyntax) return complain(key, "a time like 2030-01-02T15:04:05Z");
    if (parsed.time) out = parsed.time->at;
  }

  void texts(std::string_view key, std::vector<std::string>& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return complain(key, "a list of strings");
    for (const auto& item : value->get_array()) {
      if (!item.is_string()) return complain(key, "a list of strings");
      out.emplace_back(item.get_string());
    }
  }

  void caps(std::string_view key, Capabilities& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_object()) return complain(key, "an object of strings");
    for (const auto& [name, item] : value->get_object()) {
      if (!item.is_string()) return complain(key, "an object of strings");
      out.insert_or_assign(std::string(name), std::string(item.get_string()));
    }
  }

  [[nodiscard]] const json::object* object(std::string_view key) {
    const auto* value = find(key);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) complain(key, "an object");
    return value->if_object();
  }

  /// Null and missing are the same.
  [[nodiscard]] const json::value* find(std::string_view key) const {
    const auto* value = object_.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  void require(std::string_view key) {
    if (find(key) == nullptr) complain(key, "there");
  }

  void complain(std::string_view key, std::string_view wanted) {
    if (error_.empty()) error_ = fmt::format("{}: {} is not {}", what_, key, wanted);
  }

  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  const json::object& object_;
  std::string_view what_;
  std::string error_;
};

}  // namespace boruta::client
