// Drives any server of the v1 API over keep-alive connections, and tells how many answers came a second, how long they
// took, and what the server took for it.
//
//   load --port 8487 --token-file DIR/admin-token --do create --connections 32 --seconds 10 --pid $(pidof borutad)
//
// Tasks: create; get; list, a page of 100; mixed, one creation to four gets; change, of the priority; job, from the
// request to its end; start, --count requests filed at once, and how long it takes until the last of them has a worker.
//
// Closed loop: each connection sends its next request when it has its answer. Open loop (--rate): requests are due at
// even intervals, whatever the server does, and times count from when they were due, so that a server that stalls
// cannot hide how many would have waited (coordinated omission).
#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Options {
  std::string host = "127.0.0.1";
  std::string port;
  std::string token_file;
  std::string task = "get";
  std::size_t connections = 32;
  double seconds = 5;
  /// A second, by all connections together; 0: closed loop.
  double rate = 0;
  /// Requests that are there: what `get`, `list` and `change` pick from.
  std::uint64_t first = 1;
  std::uint64_t numbers = 1;
  /// What pages are sorted by.
  std::string sort = "id";
  /// Requests that `start` files.
  std::uint64_t count = 1'000;
  /// `start` ends when they are filed.
  bool no_wait = false;
  /// What requests ask for.
  std::string caps = R"({"none":"such"})";
  /// For how long a job is kept.
  double hold = 0;
  int pid = 0;
  /// A connection for each task, as a client has that is started anew.
  bool fresh = false;
};

struct Tally {
  /// By step of the task.
  std::map<std::string, std::vector<float>, std::less<>> milliseconds;
  std::map<std::string, std::uint64_t> errors;
  /// Answers of all steps.
  std::uint64_t answers = 0;
  /// Requests that `start` has yet to file.
  std::uint64_t to_start = 0;
};

struct Answer {
  unsigned status = 0;
  std::string body;
};

/// One keep-alive connection, opened any number of times.
class Connection {
 public:
  Connection(const Options* options, std::string token, asio::any_io_executor executor)
      : options_(*options), token_(std::move(token)), socket_(std::move(executor)) {}

  asio::awaitable<void> open() {
    socket_.close();
    buffer_.clear();
    tcp::resolver resolver(socket_.get_executor());
    const auto endpoints = co_await resolver.async_resolve(options_.host, options_.port, asio::use_awaitable);
    co_await asio::async_connect(socket_, endpoints, asio::use_awaitable);
    socket_.set_option(tcp::no_delay(true));
    socket_.non_blocking(true);
  }

  asio::awaitable<Answer> call(std::string_view method, std::string path, std::string body = {}) {
    auto text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, path, options_.host);
    if (!token_.empty()) text += fmt::format("Authorization: Bearer {}\r\n", token_);
    if (method == "POST") text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    text += "\r\n" + body;
    // Mostly all of it leaves at once, which spares what waits for it.
    boost::system::error_code error;
    const auto sent = socket_.write_some(asio::buffer(text), error);
    if (sent < text.size()) co_await asio::async_write(socket_, asio::buffer(text) + sent, asio::use_awaitable);
    co_return co_await read_answer();
  }

 private:
  asio::awaitable<Answer> read_answer() {
    const auto head =
        co_await asio::async_read_until(socket_, asio::dynamic_buffer(buffer_), "\r\n\r\n", asio::use_awaitable);
    constexpr std::string_view kLength = "Content-Length: ";
    std::size_t length = 0;
    if (const auto place = buffer_.substr(0, head).find(kLength); place != std::string::npos) {
      length = std::stoul(buffer_.substr(place + kLength.size()));
    }
    Answer answer{.status = static_cast<unsigned>(std::stoul(buffer_.substr(sizeof("HTTP/1.1"))))};
    if (buffer_.size() < head + length) {
      co_await asio::async_read(socket_, asio::dynamic_buffer(buffer_),
                                asio::transfer_at_least(head + length - buffer_.size()), asio::use_awaitable);
    }
    answer.body = buffer_.substr(head, length);
    buffer_.erase(0, head + length);
    co_return answer;
  }

  const Options& options_;
  std::string token_;
  tcp::socket socket_;
  std::string buffer_;
};

/// What one connection does, again and again.
class Client {
 public:
  Client(const Options* options, Connection* connection, Tally* tally, std::uint64_t seed)
      : options_(*options), connection_(*connection), tally_(*tally), random_(seed * 0x9E3779B97F4A7C15U) {}

  /// The task once; it was due at `due`.
  asio::awaitable<void> act(SteadyClock::time_point due) {
    begun_ = due;
    if (options_.task == "create") {
      co_await create();
    } else if (options_.task == "get") {
      co_await step("get", 200, "GET", fmt::format("/api/v1/reqs/{}", some_request()));
    } else if (options_.task == "list") {
      co_await list();
    } else if (options_.task == "change") {
      auto body = fmt::format(R"({{"Priority":{}}})", 1 + next_random() % 16);
      co_await step("change", 204, "POST", fmt::format("/api/v1/reqs/{}", some_request()), std::move(body));
    } else if (options_.task == "start") {
      co_await create();
    } else if (options_.task == "mixed") {
      constexpr std::uint64_t kCreatesOf = 5;
      if (next_random() % kCreatesOf == 0) {
        co_await create();
      } else {
        co_await step("get", 200, "GET", fmt::format("/api/v1/reqs/{}", some_request()));
      }
    } else {
      co_await live_job();
    }
  }

 private:
  std::uint64_t next_random() {
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    return random_ >> 20U;
  }
  std::uint64_t some_request() {
    return options_.first + next_random() % (std::max(options_.numbers, options_.first) - options_.first + 1);
  }

  asio::awaitable<Answer> step(std::string_view name, unsigned expected, std::string_view method, std::string path,
                               std::string body = {}) {
    auto answer = co_await connection_.call(method, std::move(path), std::move(body));
    note(name, expected, answer);
    co_return answer;
  }

  /// The step `name` ended with `answer`.
  void note(std::string_view name, unsigned expected, const Answer& answer) {
    const auto now = SteadyClock::now();
    auto times = tally_.milliseconds.find(name);
    if (times == tally_.milliseconds.end()) times = tally_.milliseconds.emplace(name, std::vector<float>()).first;
    times->second.push_back(std::chrono::duration<float, std::milli>(now - begun_).count());
    ++tally_.answers;
    if (answer.status != expected) ++tally_.errors[fmt::format("{}: {} {}", name, answer.status, answer.body)];
    begun_ = now;
  }

  asio::awaitable<std::string> create() {
    auto body = fmt::format(R"({{"Caps":{},"Priority":8}})", options_.caps);
    const auto answer = co_await step("create", 201, "POST", "/api/v1/reqs/", std::move(body));
    const auto digit = answer.body.find_first_of("0123456789");
    co_return digit == std::string::npos ? "" : std::to_string(std::stoull(answer.body.substr(digit)));
  }

  asio::awaitable<void> list() {
    const auto page = fmt::format(
        R"({{"Filter":null,"Sorter":{{"Item":"{}","Order":"{}"}},"Paginator":{{"ID":{},"Direction":"forward","Limit":100}}}})",
        options_.sort, next_random() % 2 == 0 ? "ascending" : "descending", some_request());
    co_await step("list 100", 200, "POST", "/api/v1/reqs/list", page);
  }

  /// A job from the request to its end.
  asio::awaitable<void> live_job() {
    const auto begun = begun_;
    const auto id = co_await create();
    if (id.empty()) co_return;
    const bool acquired = co_await acquire("/api/v1/reqs/" + id);
    if (!acquired) co_return;
    if (options_.hold > 0) {
      co_await pause(std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(options_.hold)));
      begun_ = SteadyClock::now();
    }
    co_await step("close", 204, "POST", "/api/v1/reqs/" + id + "/close");
    tally_.milliseconds["whole job"].push_back(
        std::chrono::duration<float, std::milli>(SteadyClock::now() - begun).count());
  }

  /// Whether there is access. Servers that don't wait for it say that there is none, and are asked again.
  asio::awaitable<bool> acquire(std::string request) {
    while (true) {
      auto answer = co_await connection_.call("POST", request + "/acquire_worker");
      if (answer.status != 200) {
        const auto seen = co_await connection_.call("GET", request);
        if (seen.body.contains("\"WAITING\"") || seen.body.contains("\"IN PROGRESS\"")) {
          co_await pause(1ms);
          continue;
        }
      }
      note("acquire", 200, answer);
      co_return answer.status == 200;
    }
  }

  static asio::awaitable<void> pause(SteadyClock::duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
  }

  const Options& options_;
  Connection& connection_;
  Tally& tally_;
  std::uint64_t random_;
  SteadyClock::time_point begun_;
};

asio::awaitable<void> run_connection(const Options* options, std::string token, std::uint64_t number,
                                     SteadyClock::time_point begin, Tally* tally) {
  const auto executor = co_await asio::this_coro::executor;
  Connection connection(options, std::move(token), executor);
  co_await connection.open();
  Client client(options, &connection, tally, number);
  const auto seconds = [](double value) {
    return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(value));
  };
  const auto end = begin + seconds(options->seconds);
  if (options->task == "start") {
    while (tally->to_start > 0) {
      --tally->to_start;
      co_await client.act(SteadyClock::now());
    }
    co_return;
  }
  if (options->rate <= 0) {
    while (SteadyClock::now() < end) co_await client.act(SteadyClock::now());
    co_return;
  }
  const auto every = seconds(static_cast<double>(options->connections) / options->rate);
  auto due = begin + seconds(static_cast<double>(number) / options->rate);
  asio::steady_timer timer(executor);
  for (; due < end; due += every) {
    timer.expires_at(due);
    co_await timer.async_wait(asio::use_awaitable);
    if (options->fresh) co_await connection.open();
    co_await client.act(due);
  }
}

/// Returns when no request waits any more.
asio::awaitable<void> await_all_started(const Options* options, std::string token) {
  const auto executor = co_await asio::this_coro::executor;
  Connection connection(options, std::move(token), executor);
  co_await connection.open();
  asio::steady_timer timer(executor);
  while (true) {
    const auto waiting = co_await connection.call("POST", "/api/v1/reqs/list",
                                                  R"({"Filter":{"States":["WAITING"]},"Paginator":{"Limit":1}})");
    if (waiting.status == 200 && !waiting.body.contains('{')) co_return;
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

/// What a process has used up to now.
struct Usage {
  double cpu_seconds = 0;
  double rss_mib = 0;
};

Usage usage_of(int pid) {
  Usage usage;
  if (pid == 0) return usage;
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
  // Fields of proc(5), counted from 3: utime is 14, stime 15, rss 24.
  constexpr int kFirst = 3;
  constexpr int kUserTime = 14;
  constexpr int kSystemTime = 15;
  constexpr int kPages = 24;
  std::string field;
  for (int place = kFirst; fields >> field && place <= kPages; ++place) {
    if (place == kUserTime || place == kSystemTime) {
      usage.cpu_seconds += std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    } else if (place == kPages) {
      usage.rss_mib = std::stod(field) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024 / 1024;
    }
  }
  return usage;
}

void report(Tally& tally, double seconds, const Usage& before, const Usage& after, bool has_usage) {
  for (auto& [step, times] : tally.milliseconds) {
    std::ranges::sort(times);
    const auto at = [&times](double part) {
      return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
    };
    fmt::print("{:<17}{:>9.0f}/s  p50 {:.2f}  p99 {:.2f}  p99.9 {:.2f}  max {:.2f} ms  ({})\n", step,
               static_cast<double>(times.size()) / seconds, at(0.5), at(0.99), at(0.999), at(1), times.size());
  }
  if (has_usage) {
    const auto cpu = after.cpu_seconds - before.cpu_seconds;
    fmt::print(
        "server: {:.2f} CPU s in {:.1f} s, {:.1f} CPU us an answer, RSS {:.1f} MiB before and {:.1f} MiB after\n", cpu,
        seconds, 1e6 * cpu / static_cast<double>(std::max<std::uint64_t>(tally.answers, 1)), before.rss_mib,
        after.rss_mib);
  }
  for (const auto& [what, count] : tally.errors) fmt::print("{} errors: {}\n", count, what);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--host", options.host)->capture_default_str();
  app.add_option("--port", options.port)->required();
  app.add_option("--token-file", options.token_file, "Whose first line is a bearer token");
  app.add_option("--do", options.task, "What each connection does, again and again")
      ->check(CLI::IsMember({"create", "get", "list", "mixed", "change", "job", "start"}))
      ->capture_default_str();
  app.add_option("--connections", options.connections)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--seconds", options.seconds)->capture_default_str();
  app.add_option("--rate", options.rate, "Open loop, so many a second; 0: closed loop")->capture_default_str();
  app.add_flag("--fresh", options.fresh, "With --rate: a new connection for each, whose opening counts");
  app.add_option("--first", options.first, "Get, list and change use requests from this one")->capture_default_str();
  app.add_option("--numbers", options.numbers, "to this one")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--sort", options.sort, "What lists are sorted by")
      ->check(CLI::IsMember({"id", "priority", "state", "deadline", "validafter"}))
      ->capture_default_str();
  app.add_option("--count", options.count, "How many requests start files")->capture_default_str();
  app.add_flag("--no-wait", options.no_wait, "Start ends when they are filed");
  app.add_option("--caps", options.caps, "What requests ask for, as JSON")->capture_default_str();
  app.add_option("--hold", options.hold, "Seconds that a job is kept");
  app.add_option("--pid", options.pid, "Of the server: its CPU time and memory are told");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Drives a server of the v1 API and tells rates, times and what they took");
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  std::string token;
  if (!options.token_file.empty()) {
    std::ifstream file(options.token_file);
    std::getline(file, token);
  }
  asio::io_context context(1);
  Tally tally;
  tally.to_start = options.count;
  const auto before = usage_of(options.pid);
  const auto begin = SteadyClock::now();
  const auto on_end = [&tally](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      ++tally.errors[error.what()];
    }
  };
  for (std::size_t number = 1; number <= options.connections; ++number) {
    asio::co_spawn(context, run_connection(&options, token, number, begin, &tally), on_end);
  }
  context.run();
  const auto seconds_since_begin = [&begin] {
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
  };
  if (options.task == "start" && !options.no_wait && tally.errors.empty()) {
    context.restart();
    asio::co_spawn(context, await_all_started(&options, token), on_end);
    context.run();
    fmt::print("{:<17}{:>9.0f}/s  {} in {:.2f} s\n", "all started",
               static_cast<double>(options.count) / seconds_since_begin(), options.count, seconds_since_begin());
  }
  report(tally, seconds_since_begin(), before, usage_of(options.pid), options.pid != 0);
  return tally.errors.empty() ? 0 : 1;
}
