#pragma once

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/client.hpp"
#include "runtime/task.hpp"

namespace boruta::cli {

/// Prolongs a job again and again while it is used. A server that is away is asked on and on: the lease may outlive it.
/// Thread: one executor with everything else.
class LeaseKeeper {
 public:
  struct Events {
    /// The job is over, as the request says: it is not prolonged any more.
    std::function<void(const client::RequestInfo&)> lost;
    /// Something that the user should know, once each.
    std::function<void(std::string_view)> notice;
  };

  LeaseKeeper(std::unique_ptr<client::Client> client, RequestId id, Duration lease, Events events);

  /// Runs until the job is over or `stop` is called.
  Task<void> run();
  void stop();

 private:
  Task<void> pause(Duration duration);
  /// False when the job is over.
  Task<bool> prolong();

  std::unique_ptr<client::Client> client_;
  RequestId id_;
  Duration every_;
  Events events_;
  asio::steady_timer timer_;
  bool stopping_ = false;
  bool away_ = false;
  bool at_limit_ = false;
};

}  // namespace boruta::cli
