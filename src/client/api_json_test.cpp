#include "client/api_json.hpp"

#include <gtest/gtest.h>

namespace boruta::client {
namespace {

TEST(ApiJson, ReadsARequestOfTheOriginalServer) {
  const auto request = decode_request(
      R"({"ID":4,"Priority":8,"Owner":{"Groups":null},"Deadline":"2026-12-24T02:58:21.3Z",)"
      R"("ValidAfter":"2036-05-06T07:08:09+05:30","State":"WAITING","Job":null,"Caps":{"none":"such"}})");
  ASSERT_TRUE(request.has_value()) << request.error();
  EXPECT_EQ(request->id, RequestId{4});
  EXPECT_EQ(request->priority, 8U);
  EXPECT_EQ(request->state, RequestState::kWaiting);
  EXPECT_EQ(request->caps.at("none"), "such");
  EXPECT_EQ(format_rfc3339(*request->valid_after), "2036-05-06T01:38:09Z");
  EXPECT_FALSE(request->job.has_value());
  EXPECT_FALSE(request->position.has_value());
}

TEST(ApiJson, ReadsARequestWithAllFields) {
  const auto request = decode_request(
      R"({"ID":42,"Priority":1,"Owner":{"Groups":["a","b"],"Name":"alice"},"State":"IN PROGRESS","Caps":null,)"
      R"("Job":{"WorkerUUID":"u","Timeout":"2030-01-01T00:00:00Z"},"Reason":"r","Created":"2029-12-31T00:00:00Z",)"
      R"("Started":"2029-12-31T01:00:00Z","Ended":null,"Position":2,"Queue":3,"Fits":4,"FitsIdle":0,"Extra":[1]})");
  ASSERT_TRUE(request.has_value()) << request.error();
  EXPECT_EQ(request->owner, "alice");
  EXPECT_EQ(request->owner_groups, (Groups{"a", "b"}));
  EXPECT_EQ(request->state, RequestState::kInProgress);
  EXPECT_EQ(request->job->worker_uuid, "u");
  EXPECT_EQ(format_rfc3339(*request->job->timeout), "2030-01-01T00:00:00Z");
  EXPECT_EQ(request->position, 2U);
  EXPECT_EQ(request->queue, 3U);
  EXPECT_EQ(request->fits, 4U);
  EXPECT_EQ(request->fits_idle, 0U);
  EXPECT_FALSE(request->ended.has_value());
}

TEST(ApiJson, ReadsAWorker) {
  const auto worker = decode_worker(
      R"({"WorkerUUID":"u","State":"FAILED","Groups":["g"],"Caps":{"board":"rpi4"},"Name":"rpi4-01",)"
      R"("Reason":"agent lost","Since":"2030-01-01T00:00:00Z","By":"server","Connected":false,"Draining":true,)"
      R"("Job":39,"Address":"10.0.0.1:22"})");
  ASSERT_TRUE(worker.has_value()) << worker.error();
  EXPECT_EQ(worker->state, WorkerState::kFailed);
  EXPECT_EQ(worker->name, "rpi4-01");
  EXPECT_EQ(worker->job, RequestId{39});
  EXPECT_FALSE(worker->connected);
  EXPECT_TRUE(worker->draining);
}

TEST(ApiJson, KeepsAStateThatItDoesNotKnow) {
  const auto worker = decode_worker(R"({"WorkerUUID":"u","State":"RESTING"})");
  ASSERT_TRUE(worker.has_value());
  EXPECT_EQ(worker->state, WorkerState::kUnknown);
  EXPECT_EQ(worker->state_text, "RESTING");
}

TEST(ApiJson, ReadsAccess) {
  const auto access = decode_access(
      R"({"Addr":{"IP":"fe80::1","Port":30001,"Zone":"eth0"},"Key":"PEM","Username":"u","HostKeys":["ssh-ed25519 AAAA"]})");
  ASSERT_TRUE(access.has_value()) << access.error();
  EXPECT_EQ(access->ip, "fe80::1");
  EXPECT_EQ(access->port, 30001);
  EXPECT_EQ(access->zone, "eth0");
  EXPECT_EQ(access->key.reveal(), "PEM");
  EXPECT_EQ(access->host_keys.size(), 1U);
}

struct Bad {
  const char* json;
  const char* said;
};

TEST(ApiJson, NamesTheFieldThatIsWrong) {
  const Bad table[] = {
      {"nonsense", "not JSON"},
      {"[]", "not a JSON object"},
      {R"({"State":"WAITING"})", "ID"},
      {R"({"ID":1})", "State"},
      {R"({"ID":-1,"State":"WAITING"})", "ID"},
      {R"({"ID":1.5,"State":"WAITING"})", "ID"},
      {R"({"ID":"1","State":"WAITING"})", "ID"},
      {R"({"ID":1,"State":7})", "State"},
      {R"({"ID":1,"State":"WAITING","Caps":{"a":1}})", "Caps"},
      {R"({"ID":1,"State":"WAITING","Caps":[]})", "Caps"},
      {R"({"ID":1,"State":"WAITING","Deadline":"tomorrow"})", "Deadline"},
      {R"({"ID":1,"State":"WAITING","Job":{"Timeout":7}})", "Timeout"},
      {R"({"ID":1,"State":"WAITING","Job":7})", "Job"},
      {R"({"ID":1,"State":"WAITING","Owner":{"Groups":[1]}})", "Groups"},
  };
  for (const auto& [json, said] : table) {
    const auto request = decode_request(json);
    ASSERT_FALSE(request.has_value()) << json;
    EXPECT_NE(request.error().find(said), std::string::npos) << json << ": " << request.error();
  }
  EXPECT_FALSE(decode_access(R"({"Addr":{"IP":"::1","Port":70000},"Username":"u"})").has_value());
  EXPECT_FALSE(decode_access(R"({"Username":"u"})").has_value());
  EXPECT_FALSE(decode_requests("{}").has_value());
  EXPECT_FALSE(decode_requests("[1]").has_value());
  EXPECT_FALSE(decode_request_id("{}").has_value());
  EXPECT_FALSE(decode_issued_token(R"({"Name":"x"})").has_value());
}

TEST(ApiJson, WritesANewRequestWithOnlyWhatWasGiven) {
  NewRequest request;
  request.caps = {{"board", "rpi4"}, {"q", "\"x\""}};
  EXPECT_EQ(encode(request), R"({"Caps":{"board":"rpi4","q":"\"x\""},"Priority":8})");
  request.priority = 3;
  request.lease = std::chrono::minutes(2);
  request.claim_within = std::chrono::seconds(0);
  request.deadline = parse_rfc3339("2030-01-02T03:04:05+02:00").time;
  EXPECT_EQ(encode(request),
            R"({"Caps":{"board":"rpi4","q":"\"x\""},"Priority":3,"Deadline":"2030-01-02T03:04:05+02:00",)"
            R"("Lease":"2m","ClaimWithin":"0s"})");
}

TEST(ApiJson, WritesTheSmallBodies) {
  EXPECT_EQ(encode(RequestUpdate{}), "{}");
  EXPECT_EQ(encode(RequestFilter{.states = {"WAITING"}, .owners = {"alice"}}),
            R"({"Filter":{"States":["WAITING"],"Owners":["alice"]}})");
  EXPECT_EQ(encode(RequestFilter{}), R"({"Filter":{}})");
  EXPECT_EQ(encode(NewUser{.name = "bob", .groups = {"a"}, .role = ""}), R"({"Name":"bob","Groups":["a"]})");
  EXPECT_EQ(encode(Groups{}), "[]");
  EXPECT_EQ(encode_member("Power", "cycle"), R"({"Power":"cycle"})");
  EXPECT_EQ(encode_set_state("IDLE", "", false), R"({"WorkerState":"IDLE"})");
  EXPECT_EQ(encode_set_state("MAINTENANCE", "SD card", true),
            R"({"WorkerState":"MAINTENANCE","Reason":"SD card","Drain":true})");
}

TEST(ApiJson, ReadsACurrent) {
  EXPECT_EQ(decode_current(R"({"Milliamperes":240})").value(), 240);
  EXPECT_EQ(decode_current(R"({"Milliamperes":-3})").value(), -3);
  for (const auto* bad : {"{}", "[]", R"({"Milliamperes":"240"})", R"({"Milliamperes":1e12})"}) {
    EXPECT_FALSE(decode_current(bad).has_value()) << bad;
  }
}

TEST(ApiJson, FindsTheMessageOfAnError) {
  EXPECT_EQ(decode_message(R"({"message":"Request not found"})"), "Request not found");
  EXPECT_EQ(decode_message("<html>"), "");
  EXPECT_EQ(decode_message(R"({"message":7})"), "");
}

}  // namespace
}  // namespace boruta::client
