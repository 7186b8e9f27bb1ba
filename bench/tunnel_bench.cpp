#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <netinet/tcp.h>
#include <optional>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

/// Measures what jobs' tunnels carry, dialled and through the agent, with real processes, beside the loopback itself,
/// socat and haproxy where they are installed. Prints a table in Markdown. It measures and judges nothing.

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr char kPing = 'p';
constexpr char kPour = 's';
constexpr std::size_t kBlock = std::size_t{256} * 1024;
constexpr int kPings = 400;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A connected socket, or -1.
int dial(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(port);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

/// What stands for the worker's sshd: answers a ping with a byte, and pours bytes until it is left.
class Worker {
 public:
  Worker() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof(address);
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size);
    ::listen(listener_, SOMAXCONN);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~Worker() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void accept_all() {
    std::vector<std::thread> served;
    for (int fd = -1; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      served.emplace_back([fd] { serve(fd); });
    }
    for (auto& thread : served) thread.join();
  }
  static void serve(int fd) {
    static const std::vector<char> block(kBlock);
    for (char asked = 0; ::recv(fd, &asked, 1, 0) == 1;) {
      if (asked == kPing && ::send(fd, &asked, 1, MSG_NOSIGNAL) != 1) break;
      if (asked != kPour) continue;
      while (::send(fd, block.data(), block.size(), MSG_NOSIGNAL) > 0) {
      }
      break;
    }
    ::close(fd);
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// A program of its own process group, ended with it.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words, const fs::path& log) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    if (std::freopen(log.c_str(), "a", stdout) == nullptr || std::freopen(log.c_str(), "a", stderr) == nullptr)
      _exit(1);
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv.front(), argv.data());
    _exit(127);
  }
  Program(Program&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Program& operator=(Program&&) = delete;
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGTERM);
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] int pid() const { return pid_; }

 private:
  int pid_ = 0;
};

/// CPU time of a process and its children that live or were waited for.
double cpu_seconds(int root) {
  double total = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid == 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream rest(text.substr(name_end + 2));
    std::vector<std::string> words{std::istream_iterator<std::string>(rest), {}};
    constexpr std::size_t kParent = 1;
    constexpr std::size_t kTimes = 11;
    if (words.size() < kTimes + 4 || (pid != root && std::stoi(words[kParent]) != root)) continue;
    for (std::size_t i = 0; i < 4; ++i) total += std::stod(words[kTimes + i]);
  }
  return total / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// Answers of borutad with access control off.
json::value call(std::uint16_t port, const std::string& method, const std::string& path, const std::string& body = "") {
  const int fd = dial(port);
  const auto request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: "
      "{}\r\n\r\n{}",
      method, path, body.size(), body);
  std::string answer;
  if (fd < 0 || ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
  std::array<char, 65536> buffer{};
  for (ssize_t size = 0; (size = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
    answer.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(fd);
  const auto head = answer.find("\r\n\r\n");
  boost::system::error_code error;
  auto value = json::parse(head == std::string::npos ? "" : answer.substr(head + 4), error);
  return error ? json::value() : value;
}

template <class Look>
auto wait_for(const char* what, Look look) {
  for (const auto until = SteadyClock::now() + 20s; SteadyClock::now() < until; std::this_thread::sleep_for(20ms)) {
    if (auto found = look()) return *std::move(found);
  }
  throw std::runtime_error(fmt::format("{}: not within 20 s", what));
}

/// A server, a simulated worker in front of `worker`, and a job on it.
struct Farm {
  Farm(const fs::path& bin, const fs::path& directory, const std::string& mode, std::uint16_t first_port,
       const Worker& worker)
      : data(directory / mode), server(start_server(bin, mode, first_port)) {
    const auto endpoints = wait_for("borutad", [&]() -> std::optional<json::value> {
      std::ifstream file(data / "data" / "endpoints.json");
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      if (text.empty()) return std::nullopt;
      return json::parse(text);
    });
    const auto port_of = [&](const char* name) {
      const std::string text(endpoints.at(name).as_string());
      return text.substr(text.rfind(':') + 1);
    };
    http = static_cast<std::uint16_t>(std::stoi(port_of("http")));
    agents.emplace_back(
        std::vector<std::string>{bin / "dryad", "--simulate", "1", "--boruta", "127.0.0.1:" + port_of("agent"),
                                 "--ssh-address", fmt::format("127.0.0.1:{}", worker.port())},
        data / "dryad.log");
    const auto uuid = wait_for("the worker", [&]() -> std::optional<std::string> {
      const auto workers = call(http, "GET", "/api/v1/workers/");
      if (!workers.is_array() || workers.as_array().empty()) return std::nullopt;
      return std::string(workers.at(0).at("WorkerUUID").as_string());
    });
    call(http, "POST", "/api/v1/workers/" + uuid + "/setstate", R"({"WorkerState":"IDLE"})");
    call(http, "POST", "/api/v1/reqs/", R"({"Priority":8})");
    const auto access = call(http, "POST", "/api/v1/reqs/1/acquire_worker?wait=20s");
    tunnel = static_cast<std::uint16_t>(access.at("Addr").at("Port").to_number<int>());
  }

  Program start_server(const fs::path& bin, const std::string& mode, std::uint16_t first_port) const {
    fs::create_directories(data);
    std::ofstream(data / "borutad.toml") << fmt::format("[tunnel]\nmode = \"{}\"\nports = \"{}-{}\"\n", mode,
                                                        first_port, first_port + 9);
    return Program({bin / "borutad", "--config", data / "borutad.toml", "--data-dir", data / "data", "--http-listen",
                    "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--auth", "off"},
                   data / "borutad.log");
  }

  fs::path data;
  Program server;
  std::vector<Program> agents;
  std::uint16_t http = 0;
  std::uint16_t tunnel = 0;
};

struct Way {
  std::string name;
  std::uint16_t port = 0;
  /// The relaying processes.
  std::vector<int> pids;
};

struct Flow {
  double gigabytes_a_second = 0;
  double cpu_a_gigabyte = 0;
};

Flow pour(const Way& way, int streams, double seconds) {
  std::vector<int> sockets;
  for (int i = 0; i < streams; ++i) {
    const int fd = dial(way.port);
    if (fd < 0 || ::send(fd, &kPour, 1, MSG_NOSIGNAL) != 1) throw std::runtime_error(way.name + ": no connection");
    sockets.push_back(fd);
  }
  std::atomic<std::uint64_t> bytes = 0;
  std::vector<std::thread> readers;
  for (const int fd : sockets) {
    readers.emplace_back([fd, &bytes] {
      std::vector<char> buffer(kBlock);
      for (ssize_t size = 0; (size = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
        bytes += static_cast<std::uint64_t>(size);
      }
    });
  }
  const auto cpu = [&] {
    double total = 0;
    for (const int pid : way.pids) total += cpu_seconds(pid);
    return total;
  };
  std::this_thread::sleep_for(300ms);
  const auto cpu_before = cpu();
  const auto bytes_before = bytes.load();
  const auto begun = SteadyClock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto gigabytes = static_cast<double>(bytes - bytes_before) / 1e9;
  const std::chrono::duration<double> took = SteadyClock::now() - begun;
  const auto used = cpu() - cpu_before;
  for (const int fd : sockets) ::shutdown(fd, SHUT_RDWR);
  for (auto& reader : readers) reader.join();
  for (const int fd : sockets) ::close(fd);
  return {.gigabytes_a_second = gigabytes / took.count(), .cpu_a_gigabyte = used / gigabytes};
}

/// The median, in milliseconds.
double first_byte(const Way& way) {
  std::vector<double> times;
  for (int i = 0; i < kPings; ++i) {
    const auto begun = SteadyClock::now();
    const int fd = dial(way.port);
    char byte = kPing;
    if (fd < 0 || ::send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(fd, &byte, 1, 0) != 1) {
      throw std::runtime_error(way.name + ": no answer");
    }
    times.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - begun).count());
    ::close(fd);
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

bool installed(const std::string& program) {
  std::istringstream path(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  for (std::string folder; std::getline(path, folder, ':');) {
    if (fs::exists(fs::path(folder) / program)) return true;
  }
  return false;
}

void report(const std::vector<Way>& ways, double seconds) {
  fmt::print(
      "| Way | Streams | GB/s | of loopback | CPU s/GB | Connection to first byte, ms |\n|---|---|---|---|---|---|\n");
  std::vector<double> latencies;
  for (const auto& way : ways) latencies.push_back(first_byte(way));
  for (const int streams : {1, 64}) {
    double loopback_rate = 0;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const auto flow = pour(ways[i], streams, seconds);
      if (i == 0) loopback_rate = flow.gigabytes_a_second;
      fmt::print("| {} | {} | {:.2f} | {:.2f} | {} | {:.2f} |\n", ways[i].name, streams, flow.gigabytes_a_second,
                 flow.gigabytes_a_second / loopback_rate,
                 ways[i].pids.empty() ? "-" : fmt::format("{:.2f}", flow.cpu_a_gigabyte), latencies[i]);
      std::fflush(stdout);
    }
  }
}

void measure(const fs::path& bin, const fs::path& directory, std::uint16_t port, double seconds,
             const std::string& only) {
  const Worker worker;
  const auto target = fmt::format("127.0.0.1:{}", worker.port());
  std::vector<Program> others;
  std::vector<Way> ways{{.name = "loopback", .port = worker.port(), .pids = {}}};
  const auto socat_port = static_cast<std::uint16_t>(port + 20);
  const auto haproxy_port = static_cast<std::uint16_t>(port + 21);
  if (installed("socat")) {
    others.emplace_back(
        std::vector<std::string>{"socat", "-b262144",
                                 fmt::format("TCP-LISTEN:{},fork,reuseaddr,nodelay,backlog=256", socat_port),
                                 "TCP:" + target + ",nodelay"},
        directory / "socat.log");
    ways.push_back({.name = "socat", .port = socat_port, .pids = {others.back().pid()}});
  }
  if (installed("haproxy")) {
    const auto config = directory / "haproxy.cfg";
    std::ofstream(config) << fmt::format(
        "global\n maxconn 1000\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout "
        "server 60s\n option splice-auto\nlisten bench\n bind 127.0.0.1:{}\n server worker {}\n",
        haproxy_port, target);
    others.emplace_back(std::vector<std::string>{"haproxy", "-db", "-f", config}, directory / "haproxy.log");
    ways.push_back({.name = "haproxy", .port = haproxy_port, .pids = {others.back().pid()}});
  }
  const Farm direct(bin, directory, "direct", port, worker);
  const Farm agent(bin, directory, "agent", static_cast<std::uint16_t>(port + 10), worker);
  ways.push_back({.name = "boruta, direct", .port = direct.tunnel, .pids = {direct.server.pid()}});
  ways.push_back({.name = "boruta, through the agent",
                  .port = agent.tunnel,
                  .pids = {agent.server.pid(), agent.agents.front().pid()}});
  std::erase_if(ways,
                [&](const Way& way) { return way.name != "loopback" && way.name.find(only) == std::string::npos; });
  report(ways, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures tunnels and prints a table");
  std::string bin = fs::path(argv[0]).parent_path() / "../bin";
  double seconds = 3;
  std::uint16_t port = 28'400;
  app.add_option("--bin", bin, "Where borutad and dryad are");
  app.add_option("--seconds", seconds, "Of each flow");
  std::string only;
  app.add_option("--only", only, "Beside the loopback, ways whose names contain this");
  app.add_option("--port", port, "The first of thirty that are free");
  CLI11_PARSE(app, argc, argv);
  std::string directory = fs::temp_directory_path() / "boruta-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return 1;
  int code = 0;
  try {
    measure(bin, directory, port, seconds, only);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "{}\n", failure.what());
    code = 1;
  }
  fs::remove_all(directory);
  return code;
}
