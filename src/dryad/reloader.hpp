#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <expected>
#include <functional>

#include "dryad/agent.hpp"
#include "dryad/config_file.hpp"
#include "runtime/service_notifier.hpp"

namespace boruta::dryad {

/// Reads the config again on SIGHUP. Changed capabilities are registered at once; what else changed is named in the log
/// as waiting for a restart. A config that is wrong, or makes this another worker, is refused in the log, and the one
/// in use stays. Thread: the context's, but for the constructor.
class Reloader {
 public:
  /// The config as its file is now, or what is wrong with it.
  using Load = std::function<std::expected<ConfigFile, config::Errors>()>;

  /// What is passed by pointer must outlive this, and `file` be the config in use.
  Reloader(boost::asio::io_context& context, Load load, ConfigFile file, Agent* agent,
           const runtime::ServiceNotifier* service);

  void stop() { signals_.cancel(); }

 private:
  void wait();
  void reload();
  void take_up(ConfigFile next);

  Load load_;
  ConfigFile file_;
  Agent& agent_;
  const runtime::ServiceNotifier& service_;
  boost::asio::signal_set signals_;
};

}  // namespace boruta::dryad
