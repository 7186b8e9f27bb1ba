#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// Users and tokens.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

CreateUser user_named(std::string name) { return CreateUser{.name = std::move(name), .groups = {}, .token_hash = {}}; }

CreateToken token_for(std::string user, Role role = Role::kUser) {
  return CreateToken{.role = role, .user = std::move(user), .name = "laptop", .hash = "hash", .expires = std::nullopt};
}

TEST(Users, AreCreatedByAdminsWithNamesOfOneWord) {
  FarmFixture farm;
  const auto bad_name = [](const std::string& shown) {
    return "invalid request: Name is \"" + shown + "\": 1 to 64 letters, digits and . _ - @ are allowed";
  };
  const std::vector<std::pair<std::string, std::string>> names{{"", bad_name("")},
                                                               {"a b", bad_name("a b")},
                                                               {"a/b", bad_name("a/b")},
                                                               {"\xC3\xA9ric", bad_name("\xC3\xA9ric")},
                                                               {std::string(65, 'a'), bad_name(std::string(64, 'a'))},
                                                               {std::string(64, 'a'), ""},
                                                               {"Ci.bot_1-x@lab", ""},
                                                               {"alice", "there is a user \"alice\" already"}};
  for (const auto& [name, refusal] : names) EXPECT_EQ(farm.act("root", user_named(name)), refusal) << name;
  EXPECT_EQ(farm.act("alice", user_named("carol")), "only admins may do this, and alice is none");
  auto worker = user_named("carol");
  worker.role = Role::kWorker;
  EXPECT_EQ(farm.act("root", worker), "invalid request: Role is \"worker\": users are \"user\" or \"admin\"");
  auto grouped = user_named("carol");
  grouped.groups = {"b", "a", "b"};
  EXPECT_EQ(farm.act("root", grouped), "");
  EXPECT_EQ(farm.farm().find_user("carol")->groups, (Groups{"a", "b"}));
}

TEST(Users, StartWithATokenWhereOneIsGiven) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("root", CreateUser{.name = "carol", .role = Role::kAdmin, .groups = {}, .token_hash = "abc"}), "");
  const auto* token = farm.farm().find_token("abc");
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->user, farm.user("carol"));
  EXPECT_EQ(token->role, Role::kAdmin);
  EXPECT_EQ(token->created, farm.now().wall);
}

TEST(Users, GroupsAreJudgedAnewForWaitingRequestsAndRunningJobsGoOn) {
  FarmFixture farm;
  farm.bring("RUNNING");
  farm.make_idle("x");
  farm.set_groups("x", Groups{"lab"});
  farm.set_groups("w", Groups{"office"});
  const auto waiting = farm.create("alice");
  EXPECT_EQ(farm.describe(waiting), "WAITING");
  EXPECT_EQ(farm.act("root", SetUserGroups{.name = "alice", .groups = {"lab"}}), "");
  EXPECT_EQ(farm.server_of(waiting), "x");
  EXPECT_EQ(farm.describe(RequestId{1}), "IN PROGRESS");
  EXPECT_EQ(farm.act("root", SetUserGroups{.name = "alice", .groups = {"lab"}}), "");
  EXPECT_EQ(farm.last_events(), "");
  EXPECT_EQ(farm.act("root", SetUserGroups{.name = "alice", .groups = {""}}),
            "invalid request: Groups has an empty name");
  EXPECT_EQ(farm.act("alice", SetUserGroups{.name = "alice", .groups = {}}),
            "only admins may do this, and alice is none");
  EXPECT_EQ(farm.act("root", SetUserGroups{.name = "nobody", .groups = {}}), "User not found");
}

TEST(Users, DeletedLeaveTheirNameAndTakeTheirTokensAndRequestsAlong) {
  FarmFixture farm;
  farm.bring("RUNNING");
  farm.create("alice");
  farm.act("alice", token_for(""));
  const auto id = farm.user("alice");
  EXPECT_EQ(farm.act("root", DeleteUser{.name = "alice"}), "");
  EXPECT_EQ(farm.describe(RequestId{1}), "DONE: its owner was deleted by root");
  EXPECT_EQ(farm.describe(RequestId{2}), "CANCELLED: its owner was deleted by root");
  EXPECT_TRUE(farm.farm().find_token("hash")->revoked);
  EXPECT_EQ(farm.farm().find_user("alice"), nullptr);
  EXPECT_EQ(farm.farm().find_user(id)->name, "alice") << "history still tells who filed what";
  EXPECT_EQ(farm.act("root", DeleteUser{.name = "alice"}), "User not found");
  EXPECT_EQ(farm.act("root", user_named("alice")), "");
  EXPECT_NE(farm.user("alice"), id);
  EXPECT_EQ(farm.close("alice", RequestId{1}), "request 1 belongs to alice, only its owner and admins may do this");
}

TEST(Users, CannotBeDeletedByOthersThanAdminsNorByThemselves) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", DeleteUser{.name = "bob"}), "only admins may do this, and alice is none");
  EXPECT_EQ(farm.act("root", DeleteUser{.name = "root"}), "invalid request: you cannot delete yourself");
}

TEST(Users, AnonymousCannotBeChanged) {
  FarmFixture farm(Policy{.access_control = false});
  farm.act("server", user_named("anonymous"));
  const std::string refused = "invalid request: the user \"anonymous\" cannot be changed";
  EXPECT_EQ(farm.act("root", DeleteUser{.name = "anonymous"}), refused);
  EXPECT_EQ(farm.act("root", SetUserGroups{.name = "anonymous", .groups = {"a"}}), refused);
}

TEST(Tokens, AreMadeByUsersForThemselvesAndByAdminsForAll) {
  const std::string refused = "only admins may do this, and alice is none";
  const std::vector<std::tuple<std::string, std::string, Role, std::string>> table{
      {"alice", "", Role::kUser, ""},
      {"alice", "alice", Role::kUser, ""},
      {"alice", "bob", Role::kUser, refused},
      {"alice", "", Role::kWorker, refused},
      {"root", "bob", Role::kUser, ""},
      {"root", "", Role::kWorker, ""},
      {"root", "nobody", Role::kUser, "User not found"}};
  for (const auto& [actor, user, role, refusal] : table) {
    FarmFixture farm;
    EXPECT_EQ(farm.act(actor, token_for(user, role)), refusal) << actor << " for " << user;
    const auto* token = farm.farm().find_token("hash");
    ASSERT_EQ(token != nullptr, refusal.empty());
    if (token == nullptr) continue;
    EXPECT_EQ(token->role, role);
    EXPECT_EQ(token->user, role == Role::kWorker ? UserId{} : farm.user(user.empty() ? actor : user));
  }
}

TEST(Tokens, HaveTheRoleOfTheirUserWhateverIsAskedFor) {
  FarmFixture farm;
  farm.act("alice", token_for("", Role::kAdmin));
  EXPECT_EQ(farm.farm().find_token("hash")->role, Role::kUser);
}

TEST(Tokens, ExpireLaterThanNowAndHaveANameOfOneWord) {
  FarmFixture farm;
  auto token = token_for("");
  token.expires = farm.now().wall;
  EXPECT_EQ(farm.act("alice", token), "invalid request: Expires is in the past");
  token.expires = farm.now().wall + 1ns;
  EXPECT_EQ(farm.act("alice", token), "");
  token.name = "my laptop";
  EXPECT_EQ(farm.act("alice", token),
            "invalid request: Name is \"my laptop\": 1 to 64 letters, digits and . _ - @ are allowed");
}

TEST(Tokens, OfUsersAreNeverReusable) {
  FarmFixture farm;
  auto token = token_for("");
  token.reusable = true;
  farm.act("alice", token);
  EXPECT_FALSE(farm.farm().find_token("hash")->reusable);
}

TEST(Tokens, AreRevokedOnceByTheirUserOrAnAdmin) {
  for (const auto* actor : {"alice", "root", "bob"}) {
    FarmFixture farm;
    farm.act("alice", token_for(""));
    const auto id = farm.farm().find_token("hash")->id;
    const bool may = std::string_view(actor) != "bob";
    EXPECT_EQ(farm.act(actor, RevokeToken{.id = id}), may ? "" : "only admins may do this, and bob is none");
    EXPECT_EQ(farm.farm().find_token("hash")->revoked, may);
    if (!may) continue;
    EXPECT_EQ(farm.act("root", RevokeToken{.id = id}), "Token not found");
  }
  FarmFixture farm;
  const auto id = farm.create_worker_token(true);
  EXPECT_EQ(farm.act("alice", RevokeToken{.id = id}), "only admins may do this, and alice is none");
  EXPECT_EQ(farm.act("root", RevokeToken{.id = id}), "");
  EXPECT_EQ(farm.act("root", RevokeToken{.id = TokenId{77}}), "Token not found");
}

}  // namespace
}  // namespace boruta::farm
