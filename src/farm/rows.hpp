#pragma once

#include <vector>

#include "farm/types.hpp"

namespace boruta::farm {

/// The farm as its tables hold it: what the store loads at start, and what replaying the events must equal.
/// Each table is sorted by its key.
struct Rows {
  std::vector<User> users;
  std::vector<LimitedGroup> groups;
  std::vector<Token> tokens;
  std::vector<Request> requests;
  std::vector<Worker> workers;
  std::vector<Creation> creations;
  std::vector<UserKey> user_keys;
  EventSeq last_event;

  friend bool operator==(const Rows&, const Rows&) = default;
};

/// Which rows a batch of events changed, made or removed.
struct Touched {
  std::vector<UserId> users;
  std::vector<std::string> groups;
  std::vector<TokenId> tokens;
  std::vector<RequestId> requests;
  std::vector<WorkerUuid> workers;
  std::vector<RequestId> creations;
  std::vector<UserKeyId> user_keys;
  /// Of the workers, those that came, went, or changed what they offer to whom: capabilities and groups.
  std::vector<WorkerUuid> offers;

  [[nodiscard]] bool empty() const {
    return users.empty() && groups.empty() && tokens.empty() && requests.empty() && workers.empty() &&
           creations.empty() && user_keys.empty();
  }
  /// Each list is sorted and holds a key once.
  void normalize();
};

}  // namespace boruta::farm
