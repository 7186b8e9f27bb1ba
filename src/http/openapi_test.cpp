#include "http/openapi.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <cctype>
#include <functional>
#include <set>

#include "base/limits.hpp"
#include "farm/events.hpp"
#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

namespace json = boost::json;
using Texts = std::set<std::string>;

/// "/reqs/{id}/close" as the router writes it: "/reqs/:id/close".
std::string as_pattern(std::string path) {
  const auto open = path.find('{');
  if (open == std::string::npos) return path;
  return path.replace(open, path.find('}') + 1 - open, ":id");
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (auto& character : result) character = static_cast<char>(std::toupper(static_cast<unsigned char>(character)));
  return result;
}

Texts texts_at(const json::value& document, std::string_view pointer) {
  Texts texts;
  for (const auto& text : document.at_pointer(pointer).as_array()) texts.emplace(text.as_string());
  return texts;
}

class Description : public testing::Test {
 protected:
  /// Calls `use` with method, pattern and operation.
  void each_operation(const std::function<void(const std::string&, const std::string&, const json::object&)>& use) {
    for (const auto& [path, item] : document_.at("paths").as_object()) {
      for (const auto& [key, operation] : item.as_object()) {
        if (key == "parameters") continue;
        use(upper(key), as_pattern(path), operation.as_object());
      }
    }
  }

  std::int64_t limit(std::string_view schema, std::string_view pointer) {
    return document_.at_pointer("/components/schemas/" + std::string(schema) + std::string(pointer))
        .to_number<std::int64_t>();
  }

  json::value document_ = json::parse(kOpenapiJson);
};

TEST_F(Description, HasEveryRouteAndNoOther) {
  Texts routed;
  for (const auto& route : Api::routes()) {
    routed.insert(std::string(to_string(route.method)) + " " + std::string(route.pattern));
  }
  Texts described;
  each_operation(
      [&](const auto& method, const auto& pattern, const auto&) { described.insert(method + " " + pattern); });
  EXPECT_EQ(described, routed);
}

TEST_F(Description, TellsWhoMayCallWhat) {
  Texts routed;
  for (const auto& route : Api::routes()) {
    routed.insert(std::string(to_string(route.method)) + " " + std::string(route.pattern) + " " +
                  std::string(word_of(route.caller)));
  }
  Texts described;
  each_operation([&](const auto& method, const auto& pattern, const json::object& operation) {
    const std::string role(operation.at("x-role").as_string());
    described.insert(method + " " + pattern + " " + role);
    // The token that the whole document asks for is asked for unless an operation takes it back.
    EXPECT_EQ(operation.contains("security"), role == "anyone") << pattern;
    EXPECT_EQ(operation.at("responses").as_object().contains("401"), role != "anyone") << pattern;
  });
  EXPECT_EQ(described, routed);
  EXPECT_FALSE(document_.at("security").as_array().empty());
}

TEST_F(Description, HasTheWordsOfTheDomain) {
  Texts kinds;
  for (const auto& kind : farm::kind_names()) kinds.emplace(kind);
  EXPECT_EQ(texts_at(document_, "/components/schemas/Event/properties/Type/enum"), kinds);
  const auto request_states = texts_at(document_, "/components/schemas/RequestState/enum");
  EXPECT_EQ(request_states.size(), 7U);
  for (const auto& word : request_states) EXPECT_TRUE(farm::parse_request_state(word)) << word;
  const auto worker_states = texts_at(document_, "/components/schemas/WorkerState/enum");
  EXPECT_EQ(worker_states.size(), 6U);
  for (const auto& word : worker_states) EXPECT_TRUE(farm::parse_worker_state(word)) << word;
}

TEST_F(Description, HasTheLimitsOfTheCode) {
  EXPECT_EQ(limit("Priority", "/minimum"), limits::kHighestPriority);
  EXPECT_EQ(limit("Priority", "/maximum"), limits::kLowestPriority);
  EXPECT_EQ(limit("Caps", "/maxProperties"), limits::kCapsEntries);
  EXPECT_EQ(limit("Caps", "/propertyNames/maxLength"), limits::kCapsKeyBytes);
  EXPECT_EQ(limit("Caps", "/additionalProperties/maxLength"), limits::kCapsValueBytes);
  EXPECT_EQ(limit("Groups", "/maxItems"), limits::kGroups);
  EXPECT_EQ(limit("GroupsToSet", "/maxItems"), limits::kGroups);
  EXPECT_EQ(limit("Group", "/maxLength"), limits::kGroupNameBytes);
  EXPECT_EQ(limit("WorkerStateToSet", "/properties/Reason/maxLength"), limits::kReasonBytes);
  EXPECT_EQ(limit("RequestList", "/properties/Paginator/properties/Limit/maximum"), limits::kListPage);
  EXPECT_EQ(limit("WorkerList", "/properties/Paginator/properties/Limit/maximum"), limits::kListPage);
  const std::string names(document_.at_pointer("/components/schemas/Name/pattern").as_string());
  EXPECT_NE(names.find("{1," + std::to_string(limits::kUserNameBytes) + "}"), std::string::npos);
  EXPECT_EQ(limits::kUserNameBytes, limits::kTokenNameBytes);
}

TEST_F(Description, IsServedToAnyoneWithTheServersVersion) {
  ApiHarness harness{farm::Policy{}};
  const auto response = harness.call("GET", "/api/v1/openapi.json");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(values_of(response, "Content-Type"), std::vector<std::string>{"application/json"});
  auto served = json::parse(response.body);
  EXPECT_EQ(served.at_pointer("/info/version").as_string(), "9.9.9");
  served.at("info").as_object()["version"] = document_.at_pointer("/info/version");
  EXPECT_EQ(served, document_);
}

}  // namespace
}  // namespace boruta::http
