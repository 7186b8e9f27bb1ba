#pragma once

#include <boost/pfr.hpp>
#include <rapidcheck.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "farm/events.hpp"
#include "farm/types.hpp"

/// Test support: fills any record with arbitrary values. Members are found by reflection, not by the lists of fields
/// that are under test, so a member that such a list forgets makes a test fail.
namespace boruta::store::arbitrary {

template <class Record>
void fill(Record& record);

/// Valid UTF-8 of all lengths, with control characters, quotes and NUL.
inline void fill(std::string& text) {
  static const std::vector<std::string> pieces{"a",
                                               "Z",
                                               "0",
                                               " ",
                                               "/",
                                               "\"",
                                               "\\",
                                               "\n",
                                               "\r",
                                               "\t",
                                               "\x01",
                                               "\x1F",
                                               "\x7F",
                                               "\xC3\xA9",
                                               "\xE2\x82\xAC",
                                               "\xF0\x9F\x90\xBB",
                                               std::string(1, '\0')};
  text.clear();
  for (const auto& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pieces))) text += piece;
}

inline void fill(bool& flag) { flag = *rc::gen::arbitrary<bool>(); }

template <std::integral Number>
  requires(!std::is_same_v<Number, bool>)
void fill(Number& number) {
  number = *rc::gen::oneOf(rc::gen::arbitrary<Number>(),
                           rc::gen::elementOf(std::vector<Number>{0, 1, std::numeric_limits<Number>::min(),
                                                                  std::numeric_limits<Number>::max()}));
}

template <class Tag>
void fill(NumericId<Tag>& id) {
  fill(id.value);
}

inline void fill(farm::Priority& priority) { fill(priority.value); }

inline void fill(Duration& duration) {
  Duration::rep nanoseconds = 0;
  fill(nanoseconds);
  duration = Duration(nanoseconds);
}

inline void fill(Instant& instant) {
  Duration since_epoch{};
  fill(since_epoch);
  instant = Instant(since_epoch);
}

inline void fill(WorkerUuid& uuid) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "00000000-0000-0000-0000-000000000000";
  for (auto& character : text) {
    if (character != '-') character = kHex[*rc::gen::inRange<std::size_t>(0, kHex.size())];
  }
  uuid = WorkerUuid::parse(text).value();
}

inline void fill(farm::RequestState& state) {
  state = *rc::gen::map(rc::gen::inRange(0, 7), [](int value) { return static_cast<farm::RequestState>(value); });
}
inline void fill(farm::WorkerState& state) {
  state = *rc::gen::map(rc::gen::inRange(0, 6), [](int value) { return static_cast<farm::WorkerState>(value); });
}
inline void fill(farm::Role& role) {
  role = *rc::gen::map(rc::gen::inRange(0, 3), [](int value) { return static_cast<farm::Role>(value); });
}
inline void fill(farm::Actor::Kind& kind) {
  kind = *rc::gen::map(rc::gen::inRange(0, 4), [](int value) { return static_cast<farm::Actor::Kind>(value); });
}

inline void fill(Capabilities& caps) {
  caps.clear();
  for (auto left = *rc::gen::inRange(0, 5); left > 0; --left) {
    std::string name;
    fill(name);
    fill(caps[name]);
  }
}

/// Requirements are stored as their text, so only what can be written as one is tried.
inline void fill(Requirement& requirement) {
  static const std::vector<std::string> texts{"camera",
                                              "!camera",
                                              "ram>=4GiB",
                                              "voltage=2.9..3.6",
                                              "arch in (arm64, \"a b\", \"\\\"\")",
                                              "serial!~9600",
                                              "\"a name\"=\"1..2\""};
  requirement = parse_requirement(*rc::gen::elementOf(texts)).value();
}

template <class Value>
void fill(std::vector<Value>& values) {
  values.resize(*rc::gen::inRange<std::size_t>(0, 5));
  for (auto& value : values) fill(value);
}

template <class Value>
void fill(std::optional<Value>& value) {
  value.reset();
  if (*rc::gen::arbitrary<bool>()) fill(value.emplace());
}

inline void fill(SharedDemand& demand);

template <class Record>
void fill(Record& record) {
  boost::pfr::for_each_field(record, [](auto& member) { fill(member); });
}

inline void fill(SharedDemand& demand) {
  Demand filled;
  fill(filled.caps);
  fill(filled.requirements);
  demand = std::make_shared<const Demand>(std::move(filled));
}

template <class Record>
Record make() {
  Record record;
  fill(record);
  return record;
}

/// One of each kind of event, in the order of the variant.
inline std::vector<farm::EventBody> one_of_each_kind() {
  std::vector<farm::EventBody> bodies;
  [&bodies]<std::size_t... Index>(std::index_sequence<Index...> /*all*/) {
    (bodies.emplace_back(make<std::variant_alternative_t<Index, farm::EventBody>>()), ...);
  }(std::make_index_sequence<std::variant_size_v<farm::EventBody>>{});
  return bodies;
}

}  // namespace boruta::store::arbitrary
