#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

#include "dryad/access.hpp"
#include "dryad/access_key.hpp"
#include "dryad/board.hpp"
#include "dryad/root_channel.hpp"
#include "dryad/root_wire.hpp"

namespace boruta::dryad::root {

/// Gives out the one key that was put into it: the agent makes the pairs, and keeps the private halves.
class GivenKey final : public KeySource {
 public:
  void put(std::string public_line) { line_ = std::move(public_line); }
  AccessKey take() override { return {.private_pem = {}, .public_line = std::exchange(line_, {})}; }

 private:
  std::string line_;
};

/// Does as root what the agent may ask for. Whatever comes is judged anew here, as if the agent were hostile: keys must
/// be keys, and texts within their limits. What can't be understood is answered as failed.
/// Threads: `serve_work` on one, `serve_beside` on another.
class Desk {
 public:
  struct Parts {
    /// All three must outlive this. `key` is where `access` takes its keys from.
    Access* access = nullptr;
    Board* board = nullptr;
    GivenKey* key = nullptr;
    /// A descriptor to hand over, or why there is none.
    std::function<std::expected<runtime::Descriptor, std::string>()> open_console;
    std::function<std::expected<runtime::Descriptor, std::string>()> listen_for_users;
    std::function<std::expected<std::string, std::string>()> read_config;
  };

  explicit Desk(Parts parts) : parts_(std::move(parts)) {}

  /// Answers what comes, one request after another, until the agent is gone. Error: a frame that is too long.
  std::expected<void, std::string> serve_work(int socket);
  std::expected<void, std::string> serve_beside(int socket);

 private:
  using Done = std::expected<void, std::string>;

  Answer on(const Start& start);
  Answer on(const Prepare& prepare);
  Answer on(const Grant& grant);
  Answer on(const EndJob& end);
  Answer on(const PutInMaintenance& maintenance);
  Answer on(const Ready& ready);
  Answer on(const Healthcheck& check);
  Answer on(const Act& act);
  Answer on(const Cancel& cancel);
  Answer with_user(const Done& done) const;
  /// The next request may be cancelled already.
  void begin_request();

  Parts parts_;
  std::mutex mutex_;
  /// Of the request under way, counted from 1, and the highest that was cancelled.
  std::uint32_t number_ = 0;
  std::uint32_t cancelled_ = 0;
  std::stop_source stop_;
};

}  // namespace boruta::dryad::root
