#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "server/coordinator.hpp"
#include "server/tunnels.hpp"

namespace prometheus {
class Registry;
}

namespace boruta::server {

/// What is measured of a running server, in the text format of Prometheus; docs/admin.md lists all of it.
/// Counters and histograms are fed with what became durable; gauges are read off the farm when somebody asks.
/// Labels take their values from small sets that the code knows, never from what users and agents send.
/// Threads: `count_refusal` and `scrape` from any, the listener's functions on the coordinator's strand.
class Metrics final : public Listener {
 public:
  /// Who was refused.
  enum class Client : std::uint8_t { kUser, kAgent };

  /// Listens to `coordinator` from now on. Both outlive it.
  Metrics(Coordinator* coordinator, const Committer* committer);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics() override;

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;
  void on_committed(Duration took) override;
  void count_refusal(Client client, RefusalCode code);
  /// Reads `tunnels` with each scrape from now on; it outlives this. Before the first scrape.
  void watch(const TunnelWatch* tunnels) { tunnels_ = tunnels; }

  /// All series. kUnavailable when the server stops before.
  Task<std::expected<std::string, Refusal>> scrape();

  /// For the series of the server's edges.
  [[nodiscard]] prometheus::Registry& registry();

 private:
  struct Series;
  struct Queue;

  void take(const farm::JobStarted& event, Instant at);
  void take(const farm::RequestEnded& event, Instant at);
  /// Adds a part of the queue to `queue`, from `first` on; where the next part begins, nothing at the end.
  static std::optional<RequestId> read_queue(const View& view, RequestId first, Queue* queue);
  void set_queue(const Queue& queue);
  void read_farm(const View& view);
  void read_tunnels();
  void read_process();

  Coordinator& coordinator_;
  const Committer& committer_;
  const TunnelWatch* tunnels_ = nullptr;
  std::unique_ptr<Series> series_;
};

}  // namespace boruta::server
