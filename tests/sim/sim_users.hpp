#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/invariants.hpp"
#include "sim/sim_server.hpp"
#include "sim/world.hpp"

namespace boruta::sim {

/// Everybody who uses the farm: users of different groups and admins, who log in with tokens as the API has it, and do
/// at random what they may and what they may not. Who is locked out turns to an admin.
class SimUsers {
 public:
  /// `server` tells the server of the moment; whoever acts, it is there.
  SimUsers(World* world, Invariants* invariants, std::vector<WorkerUuid> workers, std::function<SimServer*()> server);

  /// On a server that has just begun: makes those without whom nobody gets in, if they are not there.
  void found();
  /// Somebody does something.
  void act();

 private:
  struct Token {
    TokenId id;
    Secret secret;
  };
  struct Person {
    std::string name;
    farm::Role role = farm::Role::kUser;
    Groups groups;
    /// All that were told, whether or not they still open anything; the newest last.
    std::vector<Token> tokens;
    bool locked_out = true;
  };
  struct Login {
    Secret token;
    farm::Actor actor;
  };

  void act_on_request(Person* who);
  void act_on_own_doors(Person* who);
  void act_on_worker(Person* admin);
  void act_on_users(Person* admin);

  Task<void> make_founders();
  Task<void> create_request(Person* who);
  Task<void> close_request(Person* who);
  Task<void> update(Person* who);
  Task<void> prolong(Person* who);
  Task<void> acquire(Person* who);
  Task<void> add_token(Person* who);
  Task<void> revoke_token(Person* who);
  Task<void> add_key(Person* who);
  Task<void> remove_key(Person* who);
  /// Gives `locked_out` a token, and makes the user first if it is not there.
  Task<void> let_in_again(Person* admin, Person* locked_out);
  /// What only admins may.
  Task<void> order(Person* admin, std::string_view what, farm::CommandBody body);

  /// As the API identifies a caller. Nothing: the token opens nothing.
  [[nodiscard]] std::optional<Login> log_in(Person* who);
  /// Executes it for the actor, and has what was told checked.
  Task<std::expected<farm::Events, Refusal>> submit(farm::Actor actor, farm::CommandBody body);
  /// The same for what only the owner of `of` and admins may do, or admins alone if it is nobody's.
  Task<std::expected<farm::Events, Refusal>> change(farm::Actor actor, std::optional<RequestId> of,
                                                    farm::CommandBody body);

  void spawn(std::string_view what, Task<void> task) { server_()->spawn(std::string(what), std::move(task)); }
  [[nodiscard]] const farm::Farm& farm() const { return server_()->farm(); }
  [[nodiscard]] Person& somebody() { return people_[world_.pick(0, people_.size() - 1)]; }
  /// Nearly always an admin.
  [[nodiscard]] Person& some_admin();
  [[nodiscard]] Token new_token();
  /// A request of the user's more often than another's.
  [[nodiscard]] RequestId some_request(UserId user);
  [[nodiscard]] RequestId some_open_request(UserId user);
  [[nodiscard]] WorkerUuid some_worker() { return workers_[world_.pick(0, workers_.size() - 1)]; }

  World& world_;
  Invariants& invariants_;
  std::vector<WorkerUuid> workers_;
  std::function<SimServer*()> server_;
  /// The first is an admin who never loses the last token.
  std::vector<Person> people_;
  std::uint64_t tokens_made_ = 0;
  std::uint64_t keys_made_ = 0;
};

}  // namespace boruta::sim
