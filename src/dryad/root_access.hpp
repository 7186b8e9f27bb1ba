#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "dryad/access.hpp"
#include "dryad/access_key.hpp"
#include "dryad/board.hpp"
#include "dryad/root_link.hpp"

namespace boruta::dryad {

/// Access by an account that the root part makes and removes. Keys are made here: their private halves never go there.
class RootAccess final : public Access {
 public:
  struct Options {
    std::string username;
    /// Of the system's sshd.
    std::uint16_t ssh_port = 22;
  };

  /// Both must outlive this.
  RootAccess(Options options, RootLink& link, KeySource& keys)
      : options_(std::move(options)), link_(link), keys_(keys) {}

  std::expected<void, std::string> check() override;
  /// REQUIRES: `check` was called, and did not refuse.
  std::expected<Endpoint, std::string> start() override;
  std::expected<Login, std::string> prepare() override;
  std::expected<void, std::string> grant(const std::vector<std::string>& public_keys) override;
  std::expected<void, std::string> end_job() override;
  std::expected<void, std::string> probe() override;
  [[nodiscard]] std::optional<uid_t> user_id() const override;
  void stop(bool) override {}

 private:
  /// What came of `request`, which may have changed who the user is.
  std::expected<void, std::string> have_done(const root::Request& request);

  Options options_;
  RootLink& link_;
  KeySource& keys_;
  root::Answer started_;
  /// 0: there is none.
  std::atomic<uid_t> user_{0};
};

/// A board that the root part drives, by what its own config says of it.
class RootBoard final : public Board {
 public:
  /// `link` must outlive this.
  explicit RootBoard(RootLink& link) : link_(link) {}

  std::expected<void, std::string> put_in_maintenance(const std::string& message, const std::stop_token& stop) override;
  std::expected<void, std::string> ready(const std::stop_token& stop) override;
  std::expected<void, Ailment> healthcheck(bool full, const std::stop_token& stop) override;
  agent::BoardResult act(agent::BoardAction action, const std::stop_token& stop) override;

 private:
  RootLink& link_;
};

}  // namespace boruta::dryad
