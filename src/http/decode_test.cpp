#include "http/decode.hpp"

#include <gtest/gtest.h>

namespace boruta::http {
namespace {

struct BadBody {
  std::string_view body;
  std::string_view message;
};

template <class Decode>
void expect_refused(const BadBody& bad, Decode decode) {
  SCOPED_TRACE(bad.body);
  const auto decoded = decode(bad.body);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(message_of(decoded.error()), bad.message);
}

TEST(Decode, RefusesBadCreationsByName) {
  const BadBody cases[] = {
      {"", "no body provided in HTTP request"},
      {" ", "invalid request: the JSON ends too early: a value is expected"},
      {"[]", "invalid request: the body is a list: an object is expected"},
      {"{\"Priority\":8", "invalid request: the JSON ends too early: \",\" or \"}\" is expected"},
      {R"({"Priority":300})", "invalid request: Priority is 300: a whole number from 1 to 16 is expected"},
      {R"({"priority":-1})", "invalid request: Priority is -1: a whole number from 1 to 16 is expected"},
      {R"({"Priority":1.5})", "invalid request: Priority is 1.5: a whole number from 1 to 16 is expected"},
      {R"({"Priority":"8"})", "invalid request: Priority is \"8\": a whole number from 1 to 16 is expected"},
      {R"({"Caps":{"a":1}})", "invalid request: Caps.a is 1: a string is expected"},
      {R"({"Caps":["a"]})", "invalid request: Caps is a list: an object of strings is expected"},
      {R"({"Deadline":"soon"})",
       "invalid request: Deadline is \"soon\": a time like \"2030-01-02T15:04:05Z\" is expected"},
      {R"({"ValidAfter":7})", "invalid request: ValidAfter is 7: a time like \"2030-01-02T15:04:05Z\" is expected"},
      {R"({"Lease":"1"})",
       "invalid request: Lease is \"1\": a duration like \"90s\", \"10m\" or \"1h30m\" is expected"},
      {R"({"ClaimWithin":600})",
       "invalid request: ClaimWithin is 600: a duration like \"90s\", \"10m\" or \"1h30m\" is expected"},
      {R"({} {})", "invalid request: the JSON is broken at byte 4: nothing may follow the JSON value"},
  };
  for (const auto& bad : cases) expect_refused(bad, decode_create);
}

TEST(Decode, ReadsACreation) {
  const auto command = decode_create(
      R"({"caps":{"board":"rpi4"},"PRIORITY":3,"ValidAfter":"0001-01-01T00:00:00Z",
          "Deadline":"2036-05-06T07:08:10.5+05:30","Lease":"2m","ClaimWithin":"0","ID":7,"State":"DONE"})");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->caps, (Capabilities{{"board", "rpi4"}}));
  EXPECT_EQ(command->priority, 3);
  EXPECT_FALSE(command->valid_after);
  EXPECT_EQ(format_rfc3339(command->deadline.value()), "2036-05-06T07:08:10.5+05:30");
  EXPECT_EQ(command->lease, std::chrono::minutes(2));
  EXPECT_EQ(command->claim_within, Duration::zero());
}

TEST(Decode, LeavesPriorityToTheFarmWhereItIsAByte) {
  EXPECT_EQ(decode_create("null")->priority, 0);
  EXPECT_EQ(decode_create(R"({"Priority":17})")->priority, 17);
}

TEST(Decode, RefusesBadUpdatesByName) {
  const BadBody cases[] = {
      {"", "no body provided in HTTP request"},
      {R"({"ID":3})", "invalid request: request ID set in JSON doesn't match ID from URL"},
      {R"({"ID":"2"})", "invalid request: ID is \"2\": a whole number from 0 to 18446744073709551615 is expected"},
      {R"({"Priority":true})", "invalid request: Priority is true: a whole number from 1 to 16 is expected"},
  };
  for (const auto& bad : cases) {
    expect_refused(bad, [](std::string_view body) { return decode_update(body, RequestId{2}); });
  }
}

TEST(Decode, TakesZeroAndNullInUpdatesAsNotGiven) {
  for (const char* body : {"{}", "null", R"({"ID":0,"Priority":0,"Deadline":"0001-01-01T00:00:00Z"})",
                           R"({"id":2,"priority":null,"deadline":null})"}) {
    const auto command = decode_update(body, RequestId{2});
    ASSERT_TRUE(command) << body;
    EXPECT_FALSE(command->priority || command->deadline || command->valid_after) << body;
  }
}

TEST(Decode, RefusesBadListsByName) {
  const BadBody cases[] = {
      {"{", "invalid request: the JSON ends too early: a name in quotes is expected"},
      {R"({"Filter":[1]})", "invalid request: Filter is a list: an object is expected"},
      {R"({"Filter":{"IDs":["1"]}})",
       "invalid request: Filter.IDs[0] is \"1\": a whole number from 0 to 18446744073709551615 is expected"},
      {R"({"Filter":{"Priorities":[8,300]}})",
       "invalid request: Filter.Priorities[1] is 300: a whole number from 0 to 255 is expected"},
      {R"({"Filter":{"Priorities":"CA=="}})",
       "invalid request: Filter.Priorities is \"CA==\": a list of whole numbers is expected"},
      {R"({"Filter":{"Owners":"me"}})", "invalid request: Filter.Owners is \"me\": a list of strings is expected"},
      {R"({"Sorter":{"Order":true}})", "invalid request: Sorter.Order is true: a string is expected"},
      {R"({"Sorter":{"Order":"desc"}})", "invalid request: unknown sort order (valid: ascending or descending)"},
      {R"({"Sorter":{"Item":"owner"}})", "invalid request: unknown name of item by which list should be sorted"},
      {R"({"Paginator":{"Direction":"up"}})", "invalid request: unknown direction (valid: forward or backward)"},
      {R"({"Paginator":{"Limit":65536}})",
       "invalid request: Paginator.Limit is 65536: a whole number from 0 to 65535 is expected"},
      {R"({"Paginator":{"ID":-1}})",
       "invalid request: Paginator.ID is -1: a whole number from 0 to 18446744073709551615 is expected"},
  };
  for (const auto& bad : cases) expect_refused(bad, decode_request_query);
  const BadBody workers[] = {
      {R"({"Filter":{"Groups":[1]}})", "invalid request: Filter.Groups[0] is 1: a string is expected"},
      {R"({"Sorter":{"Item":"id"}})", "invalid request: unknown name of item by which list should be sorted"},
      {R"({"Paginator":{"ID":"nonsense"}})", "worker not found"},
  };
  for (const auto& bad : workers) expect_refused(bad, decode_worker_query);
}

TEST(Decode, ReadsListsInAnyCase) {
  const auto query = decode_request_query(
      R"({"filter":{"IDS":[3],"states":["waiting","nonsense"],"OWNERS":["me"]},
          "SORTER":{"item":"ValidAfter","order":"DESCENDING"},"paginator":{"id":5,"limit":0,"direction":"Backward"}})");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->filter.ids, (std::vector<RequestId>{RequestId{3}}));
  EXPECT_EQ(query->filter.states, (std::vector<farm::RequestState>{farm::RequestState::kWaiting}));
  EXPECT_FALSE(query->filter.priorities);
  EXPECT_EQ(query->sort, farm::RequestSort::kValidAfter);
  EXPECT_EQ(query->paging.order, farm::SortOrder::kDescending);
  EXPECT_EQ(query->paging.direction, farm::PageDirection::kBackward);
  EXPECT_EQ(query->paging.limit, limits::kListPage);
  EXPECT_EQ(query->border, RequestId{5});
}

TEST(Decode, AsksForEverythingWithoutABody) {
  for (const char* body : {"", "{}", "null", R"({"Filter":null,"Sorter":null,"Paginator":null})",
                           R"({"Filter":{"IDs":[],"States":[]},"Paginator":{"ID":0}})"}) {
    const auto query = decode_request_query(body);
    ASSERT_TRUE(query) << body;
    EXPECT_FALSE(query->filter.ids || query->filter.states || query->border) << body;
  }
}

TEST(Decode, MatchesNoRequestInAStateThatDoesNotExist) {
  const auto query = decode_request_query(R"({"Filter":{"States":["NOPE"]}})");
  ASSERT_TRUE(query && query->filter.states);
  EXPECT_TRUE(query->filter.states->empty());
}

TEST(Decode, RefusesOtherBadBodiesByName) {
  const auto set_state = [](std::string_view body) { return decode_set_state(body, WorkerUuid{}); };
  expect_refused({"", "no body provided in HTTP request"}, set_state);
  expect_refused({"null", "invalid request: Only state changes to IDLE and MAINTENANCE are allowed"}, set_state);
  expect_refused(
      {R"({"WorkerState":"idle"})", "invalid request: Only state changes to IDLE and MAINTENANCE are allowed"},
      set_state);
  expect_refused(
      {R"({"WorkerState":"IDLE","Drain":"yes"})", "invalid request: Drain is \"yes\": true or false is expected"},
      set_state);
  expect_refused({"", "no body provided in HTTP request"}, decode_groups);
  expect_refused({R"({"Groups":["a"]})", "invalid request: the body is an object: a list of strings is expected"},
                 decode_groups);
  expect_refused({"[1]", "invalid request: the body[0] is 1: a string is expected"}, decode_groups);
  expect_refused(
      {R"({"Name":"x","Role":"worker"})", "invalid request: Role is \"worker\": \"user\" or \"admin\" is expected"},
      decode_new_user);
  expect_refused({R"({"Name":"x","Role":"root"})",
                  "invalid request: Role is \"root\": \"worker\", or nothing for a user's token, is expected"},
                 decode_new_token);
  expect_refused({R"({"Name":"x","Expires":"1h"})",
                  "invalid request: Expires is \"1h\": a time like \"2030-01-02T15:04:05Z\" is expected"},
                 decode_new_token);
}

TEST(Decode, ReadsIdsStrictly) {
  EXPECT_EQ(decode_request_id("18446744073709551615")->value, 18446744073709551615ULL);
  for (const char* text : {"", "-1", "+1", "abc", "1x", " 1", "18446744073709551616", "0x1"}) {
    EXPECT_FALSE(decode_request_id(text)) << text;
  }
}

TEST(Decode, TellsNoGroupsFromNullGroups) {
  EXPECT_EQ(decode_groups("null").value(), std::optional<Groups>{});
  EXPECT_EQ(decode_groups("[]").value(), std::optional<Groups>{Groups{}});
}

}  // namespace
}  // namespace boruta::http
