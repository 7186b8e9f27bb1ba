#include "store/event_codec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/arbitrary_records.hpp"

namespace boruta::store {
namespace {

using namespace std::chrono_literals;

WorkerUuid uuid(std::string_view text) { return WorkerUuid::parse(text).value(); }

const WorkerUuid kWorker = uuid("0b5c1de0-1111-4222-8333-0123456789ab");

std::string encoded(const farm::EventBody& body) {
  auto event = encode_event_body(body);
  return std::string(event.type) + " " + event.json;
}

RC_GTEST_PROP(EventCodec, ReadsBackEveryKindAsItWasWritten, ()) {
  for (const auto& body : arbitrary::one_of_each_kind()) {
    const auto event = encode_event_body(body);
    const auto decoded = decode_event_body(event.type, event.json);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == body);
  }
}

RC_GTEST_PROP(EventCodec, ReadsBackEveryActorAsItWasWritten, ()) {
  const auto actor = arbitrary::make<farm::Actor>();
  const auto decoded = decode_actor(encode_actor(actor));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == actor);
}

// What is on disk must stay readable: a change of these strings needs a migration, not a new expectation.
TEST(EventCodec, KeepsTheStoredFormOfRequestsAndJobs) {
  EXPECT_EQ(encoded(farm::RequestCreated{.id = RequestId{7},
                                         .owner = UserId{2},
                                         .caps = {{"arch", "arm64"}, {"ram", "4 GiB"}},
                                         .priority = farm::Priority{3},
                                         .valid_after = {.at = Instant(1s), .offset_minutes = 120},
                                         .deadline = {.at = Instant(2s), .offset_minutes = 0},
                                         .lease = 1h,
                                         .claim_within = 10min}),
            R"(request_created {"request_id":7,"owner_id":2,"caps":{"arch":"arm64","ram":"4 GiB"},"priority":3,)"
            R"("valid_after_ns":1000000000,"valid_after_offset_minutes":120,"deadline_ns":2000000000,)"
            R"("deadline_offset_minutes":0,"lease_ns":3600000000000,"claim_within_ns":600000000000})");
  EXPECT_EQ(encoded(farm::RequestEnded{.id = RequestId{7},
                                       .from = farm::RequestState::kInProgress,
                                       .state = farm::RequestState::kDone,
                                       .reason = "said \"no\"\n"}),
            R"(request_ended {"request_id":7,"from":"IN PROGRESS","state":"DONE","reason":"said \"no\"\n"})");
  EXPECT_EQ(encoded(farm::JobStarted{.id = RequestId{7},
                                     .worker = kWorker,
                                     .generation = Generation{4},
                                     .timeout = Instant(5s),
                                     .timeout_max = Instant(6s),
                                     .claim_by = {},
                                     .respond_by = Instant(7s),
                                     .tunnel_port = 30000}),
            R"(job_started {"request_id":7,"worker":"0b5c1de0-1111-4222-8333-0123456789ab","generation":4,)"
            R"("timeout_ns":5000000000,"timeout_max_ns":6000000000,"respond_by_ns":7000000000,"tunnel_port":30000})");
}

TEST(EventCodec, KeepsTheStoredFormOfWorkersUsersAndActors) {
  EXPECT_EQ(encoded(farm::WorkerRegistered{.uuid = kWorker,
                                           .registration = {.caps = {{"UUID", "x"}},
                                                            .ssh_address = "10.0.0.1",
                                                            .ssh_port = 22,
                                                            .host_keys = {"a", "b"}}}),
            R"(worker_registered {"worker":"0b5c1de0-1111-4222-8333-0123456789ab","registration":{"caps":{"UUID":"x"},)"
            R"("ssh_address":"10.0.0.1","ssh_port":22,"host_keys":["a","b"]}})");
  EXPECT_EQ(encoded(farm::WorkerGroupsSet{.uuid = kWorker, .groups = {}}),
            R"(worker_groups_set {"worker":"0b5c1de0-1111-4222-8333-0123456789ab"})");
  EXPECT_EQ(encoded(farm::UserCreated{.id = UserId{1}, .name = "ann", .role = farm::Role::kAdmin, .groups = {"qa"}}),
            R"(user_created {"user_id":1,"name":"ann","role":"admin","groups":["qa"]})");
  EXPECT_EQ(encoded(farm::RequestsServable{.ids = {RequestId{1}, RequestId{18446744073709551615U}}}),
            R"(requests_servable {"request_ids":[1,18446744073709551615]})");
  EXPECT_EQ(
      encoded(farm::UserKeyAdded{
          .id = {1}, .user = UserId{2}, .name = "laptop", .public_key = "ssh-ed25519 AAAA", .fingerprint = "SHA256:x"}),
      R"(user_key_added {"key_id":1,"user_id":2,"name":"laptop","public_key":"ssh-ed25519 AAAA",)"
      R"("fingerprint":"SHA256:x"})");
  EXPECT_EQ(encoded(farm::UserKeyRemoved{.id = {1}}), R"(user_key_removed {"key_id":1})");
  EXPECT_EQ(encoded(farm::JobKeysChanged{.id = RequestId{7}, .respond_by = Instant(7s), .generation = {5}}),
            R"(job_keys_changed {"request_id":7,"respond_by_ns":7000000000,"generation":5})");
  EXPECT_EQ(encoded(farm::TokenUsed{.id = TokenId{4}}), R"(token_used {"token_id":4})");
  EXPECT_EQ(encoded(farm::ActionRefused{.action = "POST /x", .code = "forbidden", .reason = "no", .times = 3}),
            R"(action_refused {"action":"POST /x","code":"forbidden","reason":"no","times":3})");
  EXPECT_EQ(encoded(farm::RequestsForgotten{.ranges = {{.first = {1}, .last = {3}}, {.first = {7}, .last = {7}}},
                                            .ended_until = Instant(9s)}),
            R"(requests_forgotten {"ranges":[{"first":1,"last":3},{"first":7,"last":7}],"ended_until_ns":9000000000})");
  EXPECT_EQ(encoded(farm::Checkpoint{}), "checkpoint {}");
  EXPECT_EQ(encode_actor({.name = "server", .address = "192.0.2.9"}),
            R"({"kind":"server","name":"server","address":"192.0.2.9"})");
  EXPECT_EQ(encode_actor({}), R"({"kind":"server","name":"server"})");
  EXPECT_EQ(encode_actor({.kind = farm::Actor::Kind::kUser, .user = UserId{3}, .worker = {}, .name = "ann"}),
            R"({"kind":"user","user_id":3,"name":"ann"})");
}

RC_GTEST_PROP(EventCodec, GivesEveryKindItsKindInSnakeCaseForAName, ()) {
  for (const auto& body : arbitrary::one_of_each_kind()) {
    std::string expected(farm::kind_of(body));
    std::ranges::replace(expected, ' ', '_');
    RC_ASSERT(encode_event_body(body).type == expected);
  }
}

TEST(EventCodec, IgnoresFieldsThatItDoesNotKnow) {
  const auto body = decode_event_body("job_acquired", R"({"mood":["?"],"request_id":3,"more":{"deep":1}})");
  ASSERT_TRUE(body) << body.error();
  EXPECT_EQ(*body, farm::EventBody(farm::JobAcquired{.id = RequestId{3}}));
}

TEST(EventCodec, WritesControlCharactersEscapedAndInvalidUtf8AsReplacementCharacters) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {std::string("\0\x1f\x7f", 3), "\"\\u0000\\u001f\x7f\""},
      {"\xFF", "\"\\ufffd\""},
      {"a\x80z", "\"a\\ufffdz\""},
      {"\xC3", "\"\\ufffd\""},
      {"\xC0\xAF", "\"\\ufffd\\ufffd\""},
      {"\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
      {"\xF4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
      {"\xF0\x9F\x90\xBB", "\"\xF0\x9F\x90\xBB\""},
  };
  for (const auto& [text, expected] : cases) {
    const auto event = encode_event_body(farm::WorkerNoted{.uuid = kWorker, .text = text});
    EXPECT_EQ(event.json, R"({"worker":"0b5c1de0-1111-4222-8333-0123456789ab","text":)" + expected + "}");
    EXPECT_TRUE(decode_event_body(event.type, event.json)) << event.json;
  }
}

RC_GTEST_PROP(EventCodec, WritesWhatParsesWhateverTheBytes, (const std::string& bytes)) {
  const auto event = encode_event_body(farm::WorkerNoted{.uuid = kWorker, .text = bytes});
  RC_ASSERT(decode_event_body(event.type, event.json).has_value());
}

TEST(EventCodec, NamesWhatIsMissingOrWrong) {
  struct Case {
    std::string_view type;
    std::string_view json;
    std::string_view error;
  };
  const std::vector<Case> cases{
      {"job_vanished", "{}", R"(the event type "job_vanished" is not known)"},
      {"job_acquired", "", "job_acquired is not JSON: incomplete JSON"},
      {"job_acquired", "[1]", "job_acquired is not a JSON object"},
      {"job_acquired", "{}", R"(job_acquired lacks "request_id")"},
      {"job_acquired", R"({"request_id":"3"})", R"(job_acquired has a wrong "request_id")"},
      {"job_acquired", R"({"request_id":-3})", R"(job_acquired has a wrong "request_id")"},
      {"job_acquired", R"({"request_id":3.0})", R"(job_acquired has a wrong "request_id")"},
      {"job_tunnel_moved", R"({"request_id":3,"tunnel_port":65536})", R"(job_tunnel_moved has a wrong "tunnel_port")"},
      {"worker_lost", R"({"worker":"no"})", R"(worker_lost has a wrong "worker")"},
      {"request_ended", R"({"request_id":3,"from":"WAITING","state":"done","reason":""})",
       R"(request_ended has a wrong "state")"},
      {"worker_registered", R"({"worker":"0b5c1de0-1111-4222-8333-0123456789ab","registration":{"caps":{}}})",
       R"(worker_registered has a wrong "registration")"},
  };
  for (const auto& [type, json, error] : cases) {
    const auto body = decode_event_body(type, json);
    ASSERT_FALSE(body) << json;
    EXPECT_EQ(body.error(), error);
  }
  EXPECT_EQ(decode_actor(R"({"kind":"ghost","name":""})").error(), R"(actor has a wrong "kind")");
}

}  // namespace
}  // namespace boruta::store
