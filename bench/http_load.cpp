#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

/// Loads an HTTP server from many connections, each sending its next request when it has its answer, and tells how many
/// answers came a second and how long they took.

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::string host = "127.0.0.1";
  std::string port;
  std::size_t connections = 32;
  double seconds = 5;
  std::string method = "GET";
  std::string path = "/api/v1/version";
  std::string body;
  std::string token_file;
  unsigned expected = 200;
  /// "#" in path or body is replaced by a number from 1 to this, another for each request.
  std::uint64_t numbers = 1;
};

struct Tally {
  std::vector<float> microseconds;
  std::uint64_t wrong = 0;
};

std::string with_number(std::string text, std::uint64_t number) {
  if (const auto place = text.find('#'); place != std::string::npos) text.replace(place, 1, std::to_string(number));
  return text;
}

std::string request_for(const Options& options, const std::string& token, std::uint64_t number) {
  const auto body = with_number(options.body, number);
  auto text =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", options.method, with_number(options.path, number), options.host);
  if (!token.empty()) text += fmt::format("Authorization: Bearer {}\r\n", token);
  if (!body.empty()) text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return text + "\r\n" + body;
}

/// Reads one answer; its status.
asio::awaitable<unsigned> read_answer(tcp::socket* socket, std::string* buffer) {
  const auto head =
      co_await asio::async_read_until(*socket, asio::dynamic_buffer(*buffer), "\r\n\r\n", asio::use_awaitable);
  constexpr std::string_view kLength = "Content-Length: ";
  std::size_t length = 0;
  if (const auto place = buffer->substr(0, head).find(kLength); place != std::string::npos) {
    length = std::stoul(buffer->substr(place + kLength.size()));
  }
  const auto status = static_cast<unsigned>(std::stoul(buffer->substr(sizeof("HTTP/1.1"))));
  if (buffer->size() < head + length) {
    co_await asio::async_read(*socket, asio::dynamic_buffer(*buffer),
                              asio::transfer_at_least(head + length - buffer->size()), asio::use_awaitable);
  }
  buffer->erase(0, head + length);
  co_return status;
}

asio::awaitable<void> run_connection(const Options* options, std::string token, std::uint64_t seed,
                                     SteadyClock::time_point end, Tally* tally) {
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto endpoints = co_await resolver.async_resolve(options->host, options->port, asio::use_awaitable);
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await asio::async_connect(socket, endpoints, asio::use_awaitable);
  socket.set_option(tcp::no_delay(true));
  std::string buffer;
  std::uint64_t random = seed * 0x9E3779B97F4A7C15U;
  while (SteadyClock::now() < end) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const auto text = request_for(*options, token, 1 + (random >> 20U) % options->numbers);
    const auto begun = SteadyClock::now();
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
    const auto status = co_await read_answer(&socket, &buffer);
    if (status != options->expected) ++tally->wrong;
    tally->microseconds.push_back(std::chrono::duration<float, std::micro>(SteadyClock::now() - begun).count());
  }
}

void report(Tally& tally, double seconds) {
  auto& times = tally.microseconds;
  std::ranges::sort(times);
  const auto at = [&times](double part) {
    return times.empty() ? 0.0F : times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))] / 1000;
  };
  fmt::print("{:.0f}/s  p50 {:.3f} ms  p99 {:.3f} ms  max {:.3f} ms  {} answers, {} not as expected\n",
             static_cast<double>(times.size()) / seconds, at(0.5), at(0.99), at(1), times.size(), tally.wrong);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Loads an HTTP server and tells rates and times");
  app.add_option("--host", options.host);
  app.add_option("--port", options.port)->required();
  app.add_option("--connections", options.connections);
  app.add_option("--seconds", options.seconds);
  app.add_option("--method", options.method);
  app.add_option("--path", options.path);
  app.add_option("--body", options.body);
  app.add_option("--token-file", options.token_file);
  app.add_option("--expect", options.expected);
  app.add_option("--numbers", options.numbers);
  CLI11_PARSE(app, argc, argv);
  std::string token;
  if (!options.token_file.empty()) std::getline(std::ifstream(options.token_file), token);
  asio::io_context context(1);
  Tally tally;
  const auto end = SteadyClock::now() +
                   std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(options.seconds));
  for (std::size_t number = 1; number <= options.connections; ++number) {
    asio::co_spawn(context, run_connection(&options, token, number, end, &tally),
                   [](const std::exception_ptr& failure) {
                     if (failure) std::rethrow_exception(failure);
                   });
  }
  context.run();
  report(tally, options.seconds);
  return tally.wrong == 0 ? 0 : 1;
}
