#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "cli/exit_codes.hpp"
#include "cli/settings.hpp"
#include "cli/terminal.hpp"
#include "client/client.hpp"
#include "client/event_stream.hpp"
#include "runtime/clock.hpp"

namespace boruta::cli {

/// Ends a command: caught once, in `run_cli`, which prints "boruta: message" and exits with `code`.
class CliError : public std::runtime_error {
 public:
  CliError(ExitCode code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

  [[nodiscard]] ExitCode code() const { return code_; }
  /// What to do about it; may be empty.
  [[nodiscard]] const std::string& hint() const { return hint_; }

 private:
  ExitCode code_;
  std::string hint_;
};

/// Options that every command takes.
struct Globals {
  Flags flags;
  bool json = false;
};

/// What a command works with: the server, the streams, the clock. Lives as long as the command.
class Session {
 public:
  Session(asio::any_io_executor executor, Globals globals);

  /// Throws CliError when it is not known which server, or its CA is no good.
  client::Client& api();
  /// One more connection, for calls beside others; each waits for its answer no longer than `limit`.
  [[nodiscard]] std::unique_ptr<client::Client> make_client(Duration limit = std::chrono::seconds(60));
  /// The server's events, over a connection of their own.
  [[nodiscard]] std::unique_ptr<client::EventStream> make_event_stream(client::EventSelection selection);
  [[nodiscard]] const Settings& settings();
  /// Instead of those that the command line, the environment and the file give. Before the first call to the server.
  void use(Settings settings) { settings_ = std::move(settings); }

  /// The value, or throws CliError that says what was wrong and with which server.
  template <class T>
  T need(client::Answer<T> answer) {
    if (!answer) fail(answer.error());
    if constexpr (!std::is_void_v<T>) return std::move(*answer);
  }
  [[noreturn]] void fail(const client::ApiError& error);
  /// "cannot reach http://…: Connection refused", and the server's own words as they are.
  [[nodiscard]] std::string describe(const client::ApiError& error);

  /// Results: standard output.
  void print(std::string_view text) const;
  void print_line(std::string_view text) const;
  /// Everything else: standard error, one line.
  void note(std::string_view line) const;

  [[nodiscard]] bool json() const { return globals_.json; }
  [[nodiscard]] const Globals& globals() const { return globals_; }
  [[nodiscard]] const Terminal& terminal() const { return terminal_; }
  [[nodiscard]] runtime::Clock& clock() { return *clock_; }
  [[nodiscard]] Instant now() const { return clock_->now().wall; }
  [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }

 private:
  [[nodiscard]] client::ClientOptions client_options();

  asio::any_io_executor executor_;
  Globals globals_;
  Terminal terminal_;
  std::unique_ptr<runtime::Clock> clock_;
  std::optional<Settings> settings_;
  std::unique_ptr<client::Client> client_;
};

/// A command, chosen and filled in by the command line. Returns the exit code.
using Action = std::function<Task<int>(Session*)>;

/// The value, or throws a usage error.
template <class T>
T need_argument(std::expected<T, std::string> parsed) {
  if (!parsed) throw CliError(ExitCode::kUsage, parsed.error());
  return std::move(*parsed);
}

}  // namespace boruta::cli
