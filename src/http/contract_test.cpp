#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>

#include "http/api_harness.hpp"

// Replays what Boruta 0.2.1 was asked, and compares our answers with its own. See tests/contract/v1/README.md.

namespace boruta::http {
namespace {

namespace json = boost::json;

struct Exchange {
  std::uint64_t seq = 0;
  std::string name;
  std::string method;
  std::string path;
  ApiHarness::Headers headers;
  std::string body;
  unsigned status = 0;
  std::multimap<std::string, std::string> answer_headers;
  std::string answer;
  std::string binding;
};

std::string text_of(const json::value& value) {
  return value.is_null() ? std::string{} : std::string(value.as_string());
}

Exchange parse_exchange(const std::string& line) {
  const auto value = json::parse(line);
  const auto& object = value.as_object();
  Exchange exchange{.seq = object.at("seq").to_number<std::uint64_t>(),
                    .name = text_of(object.at("name")),
                    .method = text_of(object.at("method")),
                    .path = text_of(object.at("path")),
                    .headers = {},
                    .body = text_of(object.at("body")),
                    .status = object.at("status").to_number<unsigned>(),
                    .answer_headers = {},
                    .answer = text_of(object.at("answer")),
                    .binding = text_of(object.at("binding"))};
  for (const auto& header : object.at("headers").as_array()) {
    exchange.headers.emplace_back(text_of(header.at(0)), text_of(header.at(1)));
  }
  for (const auto& header : object.at("answer_headers").as_array()) {
    exchange.answer_headers.emplace(text_of(header.at(0)), text_of(header.at(1)));
  }
  return exchange;
}

std::vector<Exchange> read_exchanges() {
  std::ifstream file(BORUTA_CONTRACT_FILE);
  std::vector<Exchange> exchanges;
  for (std::string line; std::getline(file, line);) exchanges.push_back(parse_exchange(line));
  return exchanges;
}

/// Where the contract lets us answer otherwise, and we do: the status that we mean.
const std::map<std::string, unsigned>& deliberate_differences() {
  static const std::map<std::string, unsigned> kDifferences{
      {"v1", 404},                              // redirected to /api/v1/v1, which is nothing either
      {"v1-slash", 404},                        // the same
      {"dotdot-outside", 404},                  // paths are not cleaned
      {"new-trailing-garbage", 400},            // refused
      {"upd-empty-object-unknown", 404},        // there is no such request
      {"upd-deadline-before-validafter", 400},  // refused, as in a creation
      {"list-prio-string", 400},                // Go's base64 of bytes
  };
  return kDifferences;
}

bool is_time(std::string_view text) { return !parse_rfc3339(text).error; }

/// Whether `ours` holds what `theirs` does; objects may hold more. `key` is where it stands.
std::string difference(const json::value& theirs, const json::value& ours, std::string_view key) {
  static const std::set<std::string_view> kMasked{"Port", "Key", "IP", "Server"};
  if (kMasked.contains(key)) return {};
  const auto both = std::string(key) + ": " + json::serialize(theirs) + " became " + json::serialize(ours);
  if (theirs.kind() != ours.kind() && !(theirs.is_number() && ours.is_number())) return both;
  if (theirs.is_object()) {
    for (const auto& [name, value] : theirs.as_object()) {
      const auto* counterpart = ours.as_object().if_contains(name);
      if (counterpart == nullptr) return std::string(name) + " is missing";
      if (auto found = difference(value, *counterpart, name); !found.empty()) return found;
    }
    const bool is_map = key == "Caps";
    return is_map && theirs.as_object().size() != ours.as_object().size() ? both : std::string{};
  }
  if (theirs.is_array()) {
    auto items = theirs.as_array();
    // Ours are without repetitions.
    if (key == "Groups") items.erase(std::unique(items.begin(), items.end()), items.end());
    if (items.size() != ours.as_array().size()) return both;
    for (std::size_t place = 0; place < items.size(); ++place) {
      if (auto found = difference(items.at(place), ours.at(place), key); !found.empty()) return found;
    }
    return {};
  }
  if (theirs.is_string() && is_time(std::string_view(theirs.as_string()))) {
    return is_time(std::string_view(ours.as_string())) ? std::string{} : both;
  }
  return theirs == ours ? std::string{} : both;
}

void compare_headers(const Exchange& exchange, const HttpResponse& response) {
  std::set<std::string> names{"Content-Type", "Location", "Vary", "Allow", "X-Content-Type-Options"};
  for (const auto& [name, value] : exchange.answer_headers) names.insert(name);
  for (const auto& header : response.headers) {
    if (header.name.starts_with("Boruta-") || header.name.starts_with("Access-Control-")) {
      names.emplace(header.name);
    }
  }
  for (const auto& name : names) {
    std::vector<std::string> theirs;
    const auto [begin, end] = exchange.answer_headers.equal_range(name);
    for (auto header = begin; header != end; ++header) theirs.push_back(header->second);
    auto ours = values_of(response, name);
    if (name == "Boruta-Server-Version") continue;
    if (name == "Boruta-Job-Timeout" || name == "Access-Control-Expose-Headers") {
      ASSERT_EQ(ours.size(), theirs.size()) << name;
      if (ours.empty()) continue;
      const bool fine = name == "Boruta-Job-Timeout" ? is_time(ours[0]) && ours[0].find('.') == std::string::npos
                                                     : ours[0].starts_with(theirs[0]);
      EXPECT_TRUE(fine) << name << ": " << ours[0];
      continue;
    }
    std::ranges::sort(theirs);
    std::ranges::sort(ours);
    EXPECT_EQ(ours, theirs) << name;
  }
}

void compare_body(const Exchange& exchange, const HttpResponse& response) {
  if (exchange.method == "HEAD") return;
  if (exchange.binding == "free") {
    EXPECT_EQ(response.body, exchange.answer);
    return;
  }
  if (exchange.binding == "exact") {
    EXPECT_EQ(response.body, exchange.answer);
    return;
  }
  const auto ours = json::parse(response.body);
  const auto theirs = json::parse(exchange.answer);
  if (exchange.binding == "exact but times, ports and keys") {
    EXPECT_EQ(difference(theirs, ours, ""), "") << response.body;
    return;
  }
  ASSERT_EQ(exchange.binding, "prefix \"invalid request: \"");
  EXPECT_TRUE(ours.at("message").as_string().starts_with("invalid request: ")) << response.body;
}

class Contract : public testing::Test {
 protected:
  static farm::Policy policy() {
    farm::Policy policy;
    policy.access_control = false;
    return policy;
  }

  static Instant start() { return parse_rfc3339("2026-11-24T02:58:21Z").time.value().at; }

  void replay(const Exchange& exchange) {
    SCOPED_TRACE(exchange.name);
    const auto response = harness_.call(exchange.method, exchange.path, exchange.body, exchange.headers);
    const auto difference = deliberate_differences().find(exchange.name);
    if (difference != deliberate_differences().end()) {
      EXPECT_EQ(response.status, difference->second) << response.body;
      ++different_;
    } else {
      EXPECT_EQ(response.status, exchange.status) << response.body;
      compare_headers(exchange, response);
      compare_body(exchange, response);
      ++equal_;
    }
    harness_.run_agents(dead_);
  }

  ApiHarness harness_{policy(), start()};
  WorkerUuid dead_ = harness_.add_worker("dead0000-0000-4000-8000-000000000000", {{"architecture", "AArch64"}});
  int equal_ = 0;
  int different_ = 0;
};

TEST_F(Contract, IsKept) {
  for (const char* tail : {"0", "1", "2"}) {
    harness_.add_worker(std::string("fa4e0000-0000-4000-8000-00000000000") + tail, {{"architecture", "AArch64"}});
  }
  const auto exchanges = read_exchanges();
  ASSERT_EQ(exchanges.size(), 179U);
  for (const auto& exchange : exchanges) {
    replay(exchange);
    if (exchange.name == "new-trailing-garbage") {
      // Later exchanges count on the request that the recorded server made of it.
      EXPECT_EQ(harness_.status("POST", exchange.path, R"({"Caps":{"none":"such"},"Priority":8})"), 201U);
    }
    if (exchange.name == "new-timeout") {
      harness_.pass_time(std::chrono::seconds(10));
      EXPECT_EQ(values_of(harness_.call("GET", "/api/v1/reqs/13"), "Boruta-Request-State"),
                std::vector<std::string>{"TIMEOUT"});
    }
  }
  EXPECT_EQ(different_, static_cast<int>(deliberate_differences().size()));
  EXPECT_EQ(equal_ + different_, 179);
}

}  // namespace
}  // namespace boruta::http
