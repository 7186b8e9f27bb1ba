#include "base/refusal.hpp"

#include <gtest/gtest.h>

#include <set>

namespace boruta {
namespace {

struct Row {
  RefusalCode code;
  unsigned http_status;
  int grpc_code;
  std::string word;
  std::string detail;
  std::string message;
};

/// Status and message where Boruta 0.2.1 has them are to the letter what it answers.
const std::vector<Row> kTable{
    {RefusalCode::kInvalid, 400, 3, "invalid", "deadline in the past", "invalid request: deadline in the past"},
    {RefusalCode::kNoBody, 400, 3, "no_body", "ignored", "no body provided in HTTP request"},
    {RefusalCode::kUnauthenticated, 401, 16, "unauthenticated", "a token is needed", "a token is needed"},
    {RefusalCode::kForbidden, 403, 7, "forbidden", "only admins may", "only admins may"},
    {RefusalCode::kRequestNotFound, 404, 5, "request_not_found", "ignored", "Request not found"},
    {RefusalCode::kWorkerNotFound, 404, 5, "worker_not_found", "ignored", "Worker not found"},
    {RefusalCode::kUserNotFound, 404, 5, "user_not_found", "ignored", "User not found"},
    {RefusalCode::kTokenNotFound, 404, 5, "token_not_found", "ignored", "Token not found"},
    {RefusalCode::kKeyNotFound, 404, 5, "key_not_found", "ignored", "Key not found"},
    {RefusalCode::kPageBorderNotFound, 404, 5, "page_border_not_found", "request", "request not found"},
    {RefusalCode::kRouteNotFound, 404, 5, "route_not_found", "/api/v1/nope", "/api/v1/nope not found"},
    {RefusalCode::kWrongRequestState, 400, 9, "wrong_request_state", "ignored",
     "invalid request: action cannot be executed in current state"},
    {RefusalCode::kNotAssigned, 400, 9, "not_assigned", "ignored", "invalid request: worker not assigned"},
    {RefusalCode::kLeaseLimit, 400, 9, "lease_limit", "24 h", "invalid request: lease limit of 24 h reached"},
    {RefusalCode::kWrongTransition, 400, 9, "wrong_transition", "ignored",
     "invalid request: Invalid state transition was requested"},
    {RefusalCode::kNotInMaintenance, 400, 9, "not_in_maintenance", "ignored",
     "invalid request: Worker is not in FAIL or MAINTENANCE state"},
    {RefusalCode::kAlreadyExists, 409, 6, "already_exists", "there is one", "there is one"},
    {RefusalCode::kKeyReused, 422, 3, "key_reused", "ignored",
     "this Idempotency-Key came before with another body: use a new key for a new request"},
    {RefusalCode::kTooMany, 429, 8, "too_many", "slow down", "slow down"},
    {RefusalCode::kGone, 410, 5, "gone", "it was there", "it was there"},
    {RefusalCode::kTooLarge, 413, 8, "too_large", "1 MiB at most", "1 MiB at most"},
    {RefusalCode::kUnavailable, 503, 14, "unavailable", "stopping", "stopping"}};

TEST(Refusal, LooksAsItsCodeSays) {
  for (const auto& row : kTable) {
    EXPECT_EQ(http_status_of(row.code), row.http_status) << row.word;
    EXPECT_EQ(grpc_code_of(row.code), row.grpc_code) << row.word;
    EXPECT_EQ(word_of(row.code), row.word);
    EXPECT_EQ(message_of({.code = row.code, .detail = row.detail}), row.message) << row.word;
  }
}

TEST(Refusal, TableHasEveryCodeOnce) {
  std::set<RefusalCode> codes;
  std::set<std::string> words;
  for (const auto& row : kTable) {
    codes.insert(row.code);
    words.insert(row.word);
  }
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(RefusalCode::kUnavailable) + 1);
  EXPECT_EQ(words.size(), codes.size());
}

TEST(Refusal, DetailWithBracesStaysAsItIs) {
  EXPECT_EQ(message_of({.code = RefusalCode::kInvalid, .detail = "Caps is {}"}), "invalid request: Caps is {}");
}

}  // namespace
}  // namespace boruta
