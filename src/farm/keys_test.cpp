#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "farm/decide.hpp"
#include "farm/farm_fixture.hpp"

/// What opens doors: users' public keys, and what tokens can do beyond being shown.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

AddUserKey key_named(std::string name, std::string user = {}) {
  return AddUserKey{
      .user = std::move(user), .name = name, .public_key = "ssh-ed25519 " + name, .fingerprint = "SHA256:" + name};
}

std::vector<std::string> names_of(const FarmFixture& farm, std::string_view user) {
  std::vector<std::string> names;
  for (const auto* key : farm.farm().keys_of(farm.user(user))) names.push_back(key->name);
  return names;
}

using Names = std::vector<std::string>;

TEST(UserKeys, AreAddedAndRemovedByTheirUserAndByAdmins) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", key_named("laptop")), "");
  EXPECT_EQ(farm.act("root", key_named("desk", "alice")), "");
  EXPECT_EQ(farm.act("bob", key_named("laptop")), "");
  EXPECT_EQ(names_of(farm, "alice"), (Names{"laptop", "desk"}));
  EXPECT_EQ(names_of(farm, "bob"), (Names{"laptop"}));
  EXPECT_EQ(farm.act("bob", key_named("x", "alice")), "only admins may do this, and bob is none");
  EXPECT_EQ(farm.act("bob", key_named("x", "nobody")), "only admins may do this, and bob is none");
  EXPECT_EQ(farm.act("root", key_named("x", "nobody")), "User not found");
  EXPECT_EQ(farm.act("bob", RemoveUserKey{.id = {1}}), "only admins may do this, and bob is none");
  EXPECT_EQ(farm.act("bob", RemoveUserKey{.id = {77}}), "only admins may do this, and bob is none");
  EXPECT_EQ(farm.act("alice", RemoveUserKey{.id = {1}}), "");
  EXPECT_EQ(farm.act("root", RemoveUserKey{.id = {1}}), "Key not found");
  EXPECT_EQ(farm.act("root", RemoveUserKey{.id = {2}}), "");
  EXPECT_EQ(names_of(farm, "alice"), Names{});
  EXPECT_EQ(farm.act("alice", key_named("laptop")), "") << "one that was removed may come again";
  EXPECT_EQ(farm.farm().keys_of(farm.user("alice"))[0]->id, UserKeyId{4}) << "numbers do not come again";
}

TEST(UserKeys, AreThereOnceAndInNumbers) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", key_named("key-1")), "");
  EXPECT_EQ(farm.act("alice", key_named("key-1")), "alice has the key SHA256:key-1 already, as number 1 named key-1");
  for (std::size_t count = 2; count <= limits::kUserKeys; ++count) {
    ASSERT_EQ(farm.act("alice", key_named("key-" + std::to_string(count))), "");
  }
  EXPECT_EQ(farm.act("alice", key_named("more")),
            "alice has 32 keys, which is as many as there may be: remove one first");
  EXPECT_EQ(farm.act("alice", key_named("two words")),
            "invalid request: Name is \"two words\": 1 to 64 letters, digits and . _ - @ are allowed");
}

TEST(UserKeys, GoWithTheirUser) {
  FarmFixture farm;
  farm.act("alice", key_named("laptop"));
  EXPECT_EQ(farm.act("root", DeleteUser{.name = "alice"}), "");
  EXPECT_TRUE(farm.farm().user_keys().at(UserKeyId{1}).removed);
  EXPECT_EQ(farm.act("root", RemoveUserKey{.id = {1}}), "Key not found");
}

TEST(UserKeys, OpenTheJobsThatStartWhileTheyAreThere) {
  FarmFixture farm;
  farm.make_idle("w");
  const auto before = farm.create("alice");
  farm.grant_ok("w");
  EXPECT_EQ(farm.act("alice", key_named("laptop")), "");
  EXPECT_FALSE(farm.job(before).own_keys) << "a job goes on with the key that it began with";
  EXPECT_TRUE(farm.job(before).granted);

  farm.make_idle("x");
  const auto after = farm.create("alice");
  EXPECT_TRUE(farm.job(after).own_keys);
  EXPECT_FALSE(farm.job(after).granted);
  farm.make_idle("y");
  EXPECT_FALSE(farm.job(farm.create("bob")).own_keys);
}

TEST(UserKeys, ThatChangeDuringAJobAreToldToItsAgent) {
  FarmFixture farm;
  farm.act("alice", key_named("laptop"));
  farm.act("alice", key_named("desk"));
  farm.make_idle("w");
  const auto id = farm.create("alice");
  farm.grant_ok("w");
  farm.advance(5min);
  EXPECT_EQ(farm.act("alice", RemoveUserKey{.id = {1}}), "");
  EXPECT_EQ(farm.last_events(), "user key removed, job keys changed");
  EXPECT_FALSE(farm.job(id).granted);
  EXPECT_EQ(farm.worker("w").respond_by, farm.now().lease + farm.farm().policy().grant_within);
  farm.grant_ok("w");
  EXPECT_TRUE(farm.job(id).granted);
  EXPECT_FALSE(farm.worker("w").respond_by);

  EXPECT_EQ(farm.act("bob", key_named("other")), "");
  EXPECT_TRUE(farm.job(id).granted) << "other users' keys are nobody's business";
  EXPECT_EQ(farm.act("alice", key_named("new")), "");
  EXPECT_FALSE(farm.job(id).granted);
  farm.advance(farm.farm().policy().grant_within);
  EXPECT_EQ(farm.worker("w").state, WorkerState::kFailed) << "an agent that does not answer cannot be trusted with it";
}

TEST(UserKeys, ThatChangeDuringAGrantAreNotTakenForItsKeys) {
  FarmFixture farm;
  farm.act("alice", key_named("laptop"));
  farm.act("alice", key_named("desk"));
  farm.make_idle("w");
  const auto id = farm.create("alice");
  const FinishGrant answer{.uuid = farm.worker("w").uuid, .generation = farm.worker("w").generation, .error = {}};
  EXPECT_EQ(farm.act("alice", RemoveUserKey{.id = {1}}), "");
  EXPECT_EQ(farm.act("server", answer), "");
  EXPECT_FALSE(farm.job(id).granted) << "the removed key still opens the worker";
  farm.grant_ok("w");
  EXPECT_TRUE(farm.job(id).granted);
}

TEST(UserKeys, ThatChangeWhileTheAgentIsAwayAreToldWhenItIsBack) {
  FarmFixture farm;
  farm.act("alice", key_named("laptop"));
  farm.make_idle("w");
  const auto id = farm.create("alice");
  farm.grant_ok("w");
  farm.disconnect("w");
  EXPECT_EQ(farm.act("alice", key_named("desk")), "");
  EXPECT_FALSE(farm.worker("w").respond_by);
  EXPECT_EQ(farm.reconnect("w"), "");
  EXPECT_EQ(farm.worker("w").respond_by, farm.now().lease + farm.farm().policy().grant_within);
  farm.grant_ok("w");
  EXPECT_TRUE(farm.job(id).granted);
}

TEST(UserKeys, OfWhichTheLastOpensAJobStayUntilItEnds) {
  FarmFixture farm;
  farm.act("alice", key_named("laptop"));
  farm.make_idle("w");
  const auto id = farm.create("alice");
  EXPECT_EQ(farm.act("alice", RemoveUserKey{.id = {1}}),
            "invalid request: request 1 runs, and no other key opens its worker: close the request first, or add "
            "another key");
  farm.close("alice", id);
  EXPECT_EQ(farm.act("alice", RemoveUserKey{.id = {1}}), "");
}

TEST(UserKeys, AreForUsersWhoCanBeToldApart) {
  FarmFixture farm(Policy{.access_control = false});
  farm.act("root", CreateUser{.name = std::string(kAnonymous), .role = Role::kAdmin, .groups = {}, .token_hash = {}});
  EXPECT_EQ(farm.act("root", key_named("laptop", std::string(kAnonymous))),
            "invalid request: keys are for users who can be told apart: they need access control");
}

TEST(Tokens, TellTheirLastUseToTheHour) {
  FarmFixture farm;
  farm.act("root", CreateToken{.user = "alice", .name = "ci", .hash = "h", .expires = std::nullopt});
  const auto used = [&] { return farm.farm().tokens().at(TokenId{1}).last_used; };
  EXPECT_FALSE(used());
  farm.act("alice", NoteTokenUse{.id = {1}});
  const auto first = farm.now().wall;
  EXPECT_EQ(used(), first);
  farm.advance(59min);
  farm.act("alice", NoteTokenUse{.id = {1}});
  EXPECT_EQ(farm.last_events(), "") << "no write for each use";
  EXPECT_EQ(used(), first);
  farm.advance(1min);
  farm.act("alice", NoteTokenUse{.id = {1}});
  EXPECT_EQ(used(), first + 1h);
  EXPECT_EQ(farm.act("alice", NoteTokenUse{.id = {9}}), "");
}

TEST(WorkerTokens, AdmitAsManyWorkersAsTheyMay) {
  FarmFixture farm;
  farm.act("root", CreateToken{.role = Role::kWorker,
                               .name = "rack-7",
                               .hash = "h",
                               .expires = std::nullopt,
                               .reusable = true,
                               .max_workers = 2});
  for (const auto* name : {"a", "b", "c"}) {
    farm.register_worker(name);
    farm.disconnect(name);
    farm.agent(name).token = TokenId{1};
  }
  EXPECT_EQ(farm.reconnect("a"), "");
  EXPECT_EQ(farm.reconnect("b"), "");
  EXPECT_EQ(farm.reconnect("c"),
            "this token has admitted 2 of 2 workers, and " + farm.uuid("c").to_string() + " is none of them");
  const auto& token = farm.farm().tokens().at(TokenId{1});
  EXPECT_TRUE(check_admits(token, farm.uuid("b")));
  EXPECT_EQ(check_admits(token, std::nullopt).error().detail,
            "this token has admitted 2 of 2 workers, and a new one is none of them");
  farm.disconnect("a");
  EXPECT_EQ(farm.reconnect("a"), "") << "who was admitted comes again";
  EXPECT_EQ(farm.farm().tokens().at(TokenId{1}).workers, (std::vector{farm.uuid("a"), farm.uuid("b")}));
}

TEST(WorkerTokens, MayAdmitStraightToService) {
  FarmFixture farm;
  farm.act("root", CreateToken{.role = Role::kWorker,
                               .name = "rack-7",
                               .hash = "h",
                               .expires = std::nullopt,
                               .reusable = true,
                               .in_service = true});
  farm.register_worker("w");
  EXPECT_EQ(farm.worker("w").state, WorkerState::kMaintenance) << "without the token";
  farm.disconnect("w");
  farm.deregister("w");
  farm.agent("w").token = TokenId{1};
  EXPECT_EQ(farm.reconnect("w"), "");
  EXPECT_EQ(farm.worker("w").state, WorkerState::kPrepare);
  EXPECT_EQ(farm.worker("w").reason, "admitted straight to service by its token");
  farm.prepare_ok("w");
  EXPECT_EQ(farm.worker("w").state, WorkerState::kIdle);
  farm.set_state("w", WorkerState::kMaintenance, "SD card");
  farm.maintenance_ok("w");
  farm.disconnect("w");
  EXPECT_EQ(farm.reconnect("w"), "");
  EXPECT_EQ(farm.worker("w").state, WorkerState::kMaintenance) << "an admin's word stands";
}

TEST(WorkerTokens, AreAskedForSensibly) {
  FarmFixture farm;
  CreateToken token{.role = Role::kWorker, .name = "t", .hash = "h", .expires = std::nullopt, .max_workers = 3};
  EXPECT_EQ(farm.act("root", token), "invalid request: MaxWorkers is for reusable tokens");
  token.reusable = true;
  token.max_workers = 1'001;
  EXPECT_EQ(farm.act("root", token), "invalid request: MaxWorkers is 1001, a number from 1 to 1000 is allowed");
  token.max_workers = 0;
  EXPECT_EQ(farm.act("root", token), "invalid request: MaxWorkers is 0, a number from 1 to 1000 is allowed");
  EXPECT_EQ(farm.act("alice", CreateToken{.name = "t", .hash = "h", .expires = std::nullopt, .in_service = true}), "");
  EXPECT_FALSE(farm.farm().tokens().at(TokenId{1}).in_service) << "it is nothing for users";
}

TEST(Refusals, ArePutOnRecordAsTheyAre) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", NoteRefusal{.action = "POST /x", .code = "forbidden", .reason = "no", .times = 3}), "");
  ASSERT_EQ(farm.last_events(), "action refused");
  EXPECT_EQ(farm.events().back().body,
            EventBody(ActionRefused{.action = "POST /x", .code = "forbidden", .reason = "no", .times = 3}));
  EXPECT_EQ(farm.events().back().actor.name, "alice");
}

TEST(WaitingRequests, OfUsersHaveACeilingWithoutOneOfTheirOwn) {
  FarmFixture farm(Policy{.waiting_per_user = 2});
  farm.create("alice");
  farm.create("alice");
  EXPECT_NE(farm.try_create("alice", {}), "");
  EXPECT_EQ(farm.try_create("bob", {}), "");
  for (int count = 0; count < 3; ++count) EXPECT_EQ(farm.try_create("root", {}), "") << "admins have none";
  farm.act("root", SetUserCeilings{.name = "alice", .ceilings = {.waiting = 3}});
  EXPECT_EQ(farm.try_create("alice", {}), "") << "their own counts";
}

TEST(AccessControl, TurnedOnLeavesWhatAnonymousFiledToAdmins) {
  FarmFixture farm;
  farm.act("root", CreateUser{.name = std::string(kAnonymous), .role = Role::kAdmin, .groups = {}, .token_hash = {}});
  const auto id = farm.create(kAnonymous);
  EXPECT_EQ(farm.close("alice", id), "request 1 belongs to anonymous, only its owner and admins may do this");
  EXPECT_EQ(farm.act("root", CreateToken{.user = std::string(kAnonymous), .name = "t", .hash = "h", .expires = {}}),
            "invalid request: the user \"anonymous\" can have no token");
  EXPECT_EQ(farm.close("root", id), "");
}

}  // namespace
}  // namespace boruta::farm
