#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "dryad/agent.hpp"
#include "dryad/config_file.hpp"
#include "runtime/service_notifier.hpp"

namespace boruta::dryad {

/// Reads the config again on SIGHUP. Changed capabilities are registered at once; what else changed is named in the log
/// as waiting for a restart. A config that is wrong, or makes this another worker, is refused in the log, and the one
/// in use stays. Thread: the context's, but for the constructor.
class Reloader {
 public:
  /// What is passed by pointer must outlive this, and `file` be the config in use.
  Reloader(boost::asio::io_context& context, Options options, ConfigFile file, Agent* agent,
           const runtime::ServiceNotifier* service);

  void stop() { signals_.cancel(); }

 private:
  void wait();
  void reload();
  void take_up(ConfigFile next);

  Options options_;
  ConfigFile file_;
  Agent& agent_;
  const runtime::ServiceNotifier& service_;
  boost::asio::signal_set signals_;
};

}  // namespace boruta::dryad
