#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "client/api_error.hpp"
#include "client/api_types.hpp"
#include "client/client_options.hpp"
#include "client/connection.hpp"
#include "runtime/task.hpp"

namespace boruta::client {

/// Random text for the Idempotency-Key of one creation; the same one goes with each attempt at it.
[[nodiscard]] std::string make_idempotency_key();

/// The HTTP API as functions, over one connection that is kept alive; one call at a time (use a client each for calls
/// that overlap). Reads and the creation of requests are repeated while there is no answer; other changes are sent
/// once, since a lost answer tells nothing, and their callers know best what to do. kRefused: the server said no, in
/// its words. Thread: the executor it was made with.
class Client {
 public:
  /// kTls: `ca_file` is no good.
  [[nodiscard]] static Answer<std::unique_ptr<Client>> make(const asio::any_io_executor& executor,
                                                            ClientOptions options);

  Task<Answer<Reply<VersionInfo>>> version();
  Task<Answer<Reply<Identity>>> whoami();

  Task<Answer<Reply<RequestId>>> create_request(NewRequest request, std::string idempotency_key);
  Task<Answer<Reply<RequestInfo>>> get_request(RequestId id);
  /// Why it waits; `with_workers`: each worker one by one.
  Task<Answer<Reply<ExplanationInfo>>> explain(RequestId id, bool with_workers);
  /// How it would fare if it were filed now.
  Task<Answer<Reply<ExplanationInfo>>> explain(NewRequest request);
  /// All that match, in the order of their ids, up to the longest page (65,535).
  Task<Answer<Reply<std::vector<RequestInfo>>>> list_requests(RequestFilter filter);
  Task<Answer<void>> update_request(RequestId id, RequestUpdate update);
  Task<Answer<void>> close_request(RequestId id);
  Task<Answer<void>> prolong(RequestId id);
  /// Awaits access for at most `wait` on the server's side; kRefused with status 400 when there is none by then.
  Task<Answer<Reply<AccessInfo>>> acquire_worker(RequestId id, std::chrono::seconds wait);

  /// The board of a running job: `how` is "on", "off" or "cycle", `where` "host" or "dut". Returns when it is done.
  /// kRefused with status 400: no job of the request runs, or the board can't do it; 503: it failed, or can't be
  /// reached.
  Task<Answer<void>> set_power(RequestId id, std::string how);
  Task<Answer<void>> set_sd(RequestId id, std::string where);
  /// What its device under test draws at present, in milliamperes.
  Task<Answer<Reply<std::int32_t>>> current(RequestId id);

  /// What the job's serial console printed, also after the job ended.
  Task<Answer<std::string>> console_log(RequestId id);

  /// All that happened to it, oldest first, asked for page by page: `json` is one list of all. kRefused with status 404
  /// when there is no such request or worker.
  Task<Answer<Reply<std::vector<EventInfo>>>> request_events(RequestId id);
  Task<Answer<Reply<std::vector<EventInfo>>>> worker_events(const std::string& uuid);
  /// The jobs that ran since then; `since` is RFC 3339 or a duration like "7d".
  Task<Answer<Reply<Usage>>> usage(std::string since);

  /// What happened after the event `after`, oldest first; a page may be empty and not the last.
  Task<Answer<AuditPage>> audit(AuditFilter filter, std::uint64_t after);

  Task<Answer<Reply<std::vector<WorkerInfo>>>> list_workers();
  Task<Answer<Reply<WorkerInfo>>> get_worker(std::string uuid);
  /// `state` is "IDLE" or "MAINTENANCE". Returns when the server has taken it up, not when it is done.
  Task<Answer<void>> set_state(std::string uuid, std::string state, std::string reason, bool drain);
  Task<Answer<void>> set_worker_groups(std::string uuid, Groups groups);
  Task<Answer<void>> deregister(std::string uuid);

  Task<Answer<Reply<std::vector<Identity>>>> list_users();
  /// Sent once: the server keeps no answer that holds a secret, so a lost one is lost. kUnreachable: the user may be
  /// there all the same.
  Task<Answer<Reply<IssuedToken>>> add_user(NewUser user);
  Task<Answer<void>> set_user_groups(std::string name, Groups groups);
  Task<Answer<void>> set_user_ceilings(std::string name, Ceilings ceilings);
  Task<Answer<Reply<std::vector<GroupInfo>>>> list_groups();
  Task<Answer<void>> set_group_ceilings(std::string group, Ceilings ceilings);
  Task<Answer<void>> delete_user(std::string name);

  Task<Answer<Reply<std::vector<TokenInfo>>>> list_tokens();
  /// Sent once, as add_user is. kUnreachable: the token may be there all the same.
  Task<Answer<Reply<IssuedToken>>> add_token(NewToken token);
  Task<Answer<void>> revoke_token(std::uint64_t id);

  Task<Answer<Reply<std::vector<KeyInfo>>>> list_keys();
  /// The number and the fingerprint of what was added.
  Task<Answer<Reply<KeyInfo>>> add_key(NewKey key);
  Task<Answer<void>> remove_key(std::uint64_t id);

  /// Ends the call under way, which then returns kUnreachable; later calls too, at once.
  void abort();

  [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }

 private:
  struct Call {
    std::string method;
    /// After /api/v1/.
    std::string path;
    std::string body;
    std::string idempotency_key;
    bool repeatable = false;
    std::chrono::nanoseconds extra_wait{};
  };

  Client(const asio::any_io_executor& executor, ClientOptions options, std::shared_ptr<TlsTrust> trust);

  /// A 2xx answer.
  Task<Answer<HttpResponse>> exchange(Call call);
  /// Its body.
  Task<Answer<std::string>> send(Call call);
  Task<Answer<std::string>> get(std::string path);
  /// A question whose body is too long for a path; it changes nothing.
  Task<Answer<std::string>> ask(std::string path, std::string body);
  Task<Answer<Reply<std::vector<EventInfo>>>> all_events(std::string path);
  Task<Answer<void>> change(std::string method, std::string path, std::string body);
  [[nodiscard]] HttpRequest to_http(const Call& call) const;

  asio::any_io_executor executor_;
  ClientOptions options_;
  Connection connection_;
  bool aborted_ = false;
};

}  // namespace boruta::client
