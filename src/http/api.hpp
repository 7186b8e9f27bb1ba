#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>

#include "base/refusal.hpp"
#include "base/secret.hpp"
#include "farm/command.hpp"
#include "http/message.hpp"
#include "http/route_metrics.hpp"
#include "http/router.hpp"
#include "server/agent_boards.hpp"
#include "server/client_limits.hpp"
#include "server/coordinator.hpp"
#include "server/event_feed.hpp"
#include "server/metrics.hpp"
#include "server/refusal_log.hpp"
#include "server/tunnels.hpp"

namespace boruta::http {

/// The token that a request shows in its Authorization header.
[[nodiscard]] std::optional<Secret> token_of(const HttpRequest& request);

/// The API: authenticates, reads bodies, asks the coordinator, writes answers. Holds no state of its own.
/// Threads: any; handlers go to the coordinator's strand and come back.
class Api final : public Application {
 public:
  /// What it is wired to outlives it.
  struct Options {
    server::Coordinator* coordinator = nullptr;
    /// Tells whether the store can be written.
    const server::Committer* committer = nullptr;
    server::EventFeed* feed = nullptr;
    server::Metrics* metrics = nullptr;
    const server::TunnelWatch* tunnels = nullptr;
    server::AgentBoards* boards = nullptr;
    server::RefusalLog* refusals = nullptr;
    server::ClientLimits::Options limits;
    /// The server's own version.
    std::string version;
    /// The IP literal under which users reach tunnels; if not given, where their HTTP connection ends.
    std::optional<std::string> advertise;
  };

  explicit Api(Options options);

  Task<HttpResponse> handle(const HttpRequest* request) override;
  [[nodiscard]] bool may_wait(const HttpRequest& request) const override;
  void on_answered_by_session(const HttpRequest* request, unsigned status) override;

  /// All there is, for the snapshot of the API.
  [[nodiscard]] static std::span<const Route> routes();

 private:
  /// `address`: where they call from.
  Task<std::expected<farm::Actor, Refusal>> authenticate(std::optional<Secret> token, std::string address);

  // On the coordinator's strand:
  /// The answer to what no handler need see; else nothing, and `call` is ready for the handler of `match`.
  std::optional<HttpResponse> answer_early(Call& call, const std::optional<RouteMatch>& match, Now now);
  /// Who calls, and whether they may call the route at all; else the answer.
  std::optional<HttpResponse> admit(Call& call, const Route& route, Now now);
  std::expected<farm::Actor, Refusal> identify(const std::optional<Secret>& token, std::string_view address, Now now);
  /// Submits and answers with an empty body of `status`, or the refusal.
  Task<HttpResponse> change(farm::Actor actor, farm::CommandBody body, unsigned status);
  Task<std::expected<farm::Events, Refusal>> submit(farm::Actor actor, farm::CommandBody body);
  /// Answers with the page of `subject`'s history that `call` asks for.
  Task<HttpResponse> history(const Call* call, store::EventQuery subject);

  Task<HttpResponse> get_version(const Call* call);
  Task<HttpResponse> get_openapi(const Call* call);
  Task<HttpResponse> get_healthz(const Call* call);
  Task<HttpResponse> get_readyz(const Call* call);
  Task<HttpResponse> get_metrics(const Call* call);
  Task<HttpResponse> get_whoami(const Call* call);

  Task<HttpResponse> create_request(const Call* call);
  Task<HttpResponse> get_request(const Call* call);
  Task<HttpResponse> list_requests(const Call* call);
  Task<HttpResponse> update_request(const Call* call);
  Task<HttpResponse> close_request(const Call* call);
  Task<HttpResponse> prolong_access(const Call* call);
  Task<HttpResponse> acquire_worker(const Call* call);
  Task<HttpResponse> get_request_events(const Call* call);
  Task<HttpResponse> explain_request(const Call* call);
  Task<HttpResponse> explain_unfiled(const Call* call);

  Task<HttpResponse> set_power(const Call* call);
  Task<HttpResponse> set_sd(const Call* call);
  Task<HttpResponse> measure_current(const Call* call);
  Task<HttpResponse> get_console_log(const Call* call);
  /// Has it done at the board of the request's worker; answers when it is done, or with the refusal.
  Task<HttpResponse> use_board(const Call* call, std::expected<agent::BoardAction, Refusal> action);

  Task<HttpResponse> get_worker(const Call* call);
  Task<HttpResponse> list_workers(const Call* call);
  Task<HttpResponse> set_worker_state(const Call* call);
  Task<HttpResponse> set_worker_groups(const Call* call);
  Task<HttpResponse> deregister_worker(const Call* call);
  Task<HttpResponse> get_worker_events(const Call* call);

  Task<HttpResponse> get_events(const Call* call);
  Task<HttpResponse> get_usage(const Call* call);
  Task<HttpResponse> get_audit(const Call* call);

  Task<HttpResponse> list_users(const Call* call);
  Task<HttpResponse> create_user(const Call* call);
  Task<HttpResponse> set_user_groups(const Call* call);
  Task<HttpResponse> set_user_ceilings(const Call* call);
  Task<HttpResponse> delete_user(const Call* call);
  Task<HttpResponse> list_groups(const Call* call);
  Task<HttpResponse> set_group_ceilings(const Call* call);
  Task<HttpResponse> list_tokens(const Call* call);
  Task<HttpResponse> create_token(const Call* call);
  Task<HttpResponse> revoke_token(const Call* call);
  Task<HttpResponse> list_keys(const Call* call);
  Task<HttpResponse> add_key(const Call* call);
  Task<HttpResponse> remove_key(const Call* call);

  server::Coordinator& coordinator_;
  const server::Committer& committer_;
  server::EventFeed& feed_;
  const runtime::Clock& clock_;
  server::Metrics& metrics_;
  const server::TunnelWatch& tunnels_;
  server::AgentBoards& boards_;
  server::RefusalLog& refusals_;
  server::ClientLimits limits_;
  std::string version_;
  /// What describes this API, as it is served.
  std::string openapi_;
  std::optional<std::string> advertise_;
  Router router_;
  RouteMetrics route_metrics_;
};

}  // namespace boruta::http
