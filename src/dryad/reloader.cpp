#include "dryad/reloader.hpp"

#include <fmt/ranges.h>

#include <csignal>

#include "runtime/log.hpp"

namespace boruta::dryad {

Reloader::Reloader(boost::asio::io_context& context, Load load, ConfigFile file, Agent* agent,
                   const runtime::ServiceNotifier* service)
    : load_(std::move(load)), file_(std::move(file)), agent_(*agent), service_(*service), signals_(context, SIGHUP) {
  wait();
}

void Reloader::wait() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    wait();
    service_.reloading();
    reload();
    service_.ready();
  });
}

void Reloader::reload() {
  auto next = load_();
  if (!next) {
    for (const auto& line : next.error()) runtime::log_error("the config was not taken, the old one stays: " + line);
    return;
  }
  const std::string uuid(kUuidCap);
  if (next->config.caps.at(uuid) != file_.config.caps.at(uuid)) {
    runtime::log_error("the config was not taken, the old one stays: with another UUID this is another worker; restart",
                       {{"uuid", next->config.caps.at(uuid)}});
    return;
  }
  take_up(*std::move(next));
}

void Reloader::take_up(ConfigFile next) {
  if (const auto keys = keys_that_need_a_restart(file_.text, next.text); !keys.empty()) {
    runtime::log_warning("only capabilities are taken up by a reload, the rest by a restart",
                         {{"changed", fmt::format("{}", fmt::join(keys, ", "))}});
  }
  // What needs a restart is still compared with what runs.
  if (next.config.caps == file_.config.caps) {
    runtime::log_info("the config was read again: the capabilities are the same");
    return;
  }
  file_.config.caps = next.config.caps;
  runtime::log_info("the config was read again: registering with changed capabilities",
                    {{"caps", format_caps(file_.config.caps)}});
  agent_.register_anew(file_.config.caps);
}

}  // namespace boruta::dryad
