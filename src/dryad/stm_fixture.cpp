#include "dryad/stm_fixture.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <termios.h>
#include <unistd.h>

#include "base/assert.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kNoise = "\x80\x1b\xffK\x01";

bool is_on(const std::string& word, bool& target) {
  if (word != "on" && word != "off") return false;
  target = word == "on";
  return true;
}

}  // namespace

EmulatedStm::EmulatedStm() {
  plug_in();
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

EmulatedStm::~EmulatedStm() {
  thread_.request_stop();
  thread_.join();
  unplug();
}

void EmulatedStm::plug_in() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  BORUTA_ASSERT(master >= 0 && ::grantpt(master) == 0 && ::unlockpt(master) == 0);
  std::array<char, 128> name{};
  BORUTA_ASSERT(::ptsname_r(master, name.data(), name.size()) == 0);
  // Without its own echo, before anybody has opened it.
  termios raw{};
  ::tcgetattr(master, &raw);
  ::cfmakeraw(&raw);
  ::tcsetattr(master, TCSANOW, &raw);
  std::error_code ignored;
  std::filesystem::remove(tty(), ignored);
  std::filesystem::create_symlink(name.data(), tty());
  reset();
  master_ = master;
}

void EmulatedStm::unplug() {
  std::error_code ignored;
  std::filesystem::remove(tty(), ignored);
  const int master = master_.exchange(-1);
  if (master >= 0) ::close(master);
}

void EmulatedStm::reset() {
  const std::scoped_lock lock(mutex_);
  state_ = {};
  partial_.clear();
}

EmulatedStm::State EmulatedStm::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

std::vector<std::string> EmulatedStm::heard() const {
  const std::scoped_lock lock(mutex_);
  return heard_;
}

void EmulatedStm::forget() {
  const std::scoped_lock lock(mutex_);
  heard_.clear();
}

void EmulatedStm::set_fault_for(StmFault fault, int answers) {
  fault_left_ = answers;
  fault_ = fault;
}

void EmulatedStm::say(std::string_view bytes) {
  const int master = master_;
  while (master >= 0 && !bytes.empty()) {
    const auto sent = ::write(master, bytes.data(), bytes.size());
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void EmulatedStm::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int master = master_;
    if (fault_ == StmFault::kBabble) say(kNoise);
    pollfd wait{master, POLLIN, 0};
    // Nobody at the other end shows as a hang-up, which poll reports again and again.
    if (::poll(&wait, 1, 10) <= 0 || (wait.revents & POLLIN) == 0) {
      if (wait.revents != 0) std::this_thread::sleep_for(5ms);
      continue;
    }
    std::array<char, 512> buffer;
    const auto got = ::read(master, buffer.data(), buffer.size());
    if (got > 0) take({buffer.data(), static_cast<std::size_t>(got)});
  }
}

void EmulatedStm::take(std::string_view bytes) {
  for (const char byte : bytes) {
    std::string line;
    {
      const std::scoped_lock lock(mutex_);
      if (byte != '\n') {
        partial_ += byte;
        continue;
      }
      line.swap(partial_);
    }
    obey(line);
  }
}

void EmulatedStm::obey(const std::string& line) {
  std::string output;
  {
    const std::scoped_lock lock(mutex_);
    if (state_.echo) output = line + "\r\n";
    if (!line.empty() && fault_ == StmFault::kRefuse && line != "echo off") {
      output += "Error processing command\n";
    } else if (!line.empty()) {
      const bool known = carry_out(line, output);
      output += known ? "OK\n" : "Unknown command\n";
      if (known) heard_.push_back(line);
    }
  }
  if (!output.empty()) answer(output);
}

bool EmulatedStm::carry_out(const std::string& line, std::string& output) {
  std::istringstream words(line);
  std::string verb;
  std::string first;
  words >> verb >> first;
  if (verb == "echo" && is_on(first, state_.echo)) {
    output += fmt::format("Echo is {} now.\n", first);
    return true;
  }
  if (verb == "power" && first == "tick") {
    int ms = 0;
    words >> ms;
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    state_.power = true;
    ++state_.power_ticks;
    return true;
  }
  if (verb == "power") return is_on(first, state_.power);
  if (verb == "hdmi") return is_on(first, state_.hdmi);
  if (verb == "ts" || verb == "dut") {
    state_.sd_at_dut = verb == "dut";
    state_.power = state_.sd_at_dut;
    return true;
  }
  if (verb == "current") {
    output += fmt::format("{}\n", state_.power ? milliamperes_.load() : 0);
    return true;
  }
  if (verb == "clr") {
    state_.display = {};
    return true;
  }
  const auto index = static_cast<std::size_t>(first == "2" ? 1 : 0);
  if (verb == "dyper") {
    words >> first;
    return is_on(first, state_.dypers[index]);
  }
  if (verb == "led") {
    std::getline(words >> std::ws, state_.leds[index]);
    return true;
  }
  if (verb == "text") {
    std::string y;
    std::string colour;
    std::string text;
    words >> y >> colour;
    std::getline(words >> std::ws, text);
    // More would overrun the firmware's buffer.
    if (first != "0" || (y != "0" && y != "16") || colour != "on" || text.empty() || text.size() > 16) return false;
    state_.display[y == "16" ? 1 : 0] = text;
    return true;
  }
  return false;
}

void EmulatedStm::answer(const std::string& text) {
  const StmFault fault = fault_;
  if (fault != StmFault::kNone && fault_left_ > 0 && --fault_left_ == 0) {
    fault_ = StmFault::kNone;
    fault_left_ = -1;
  }
  switch (fault) {
    case StmFault::kSilent:
      return;
    case StmFault::kHalfLine:
      say("O");
      return;
    case StmFault::kLate:
      std::this_thread::sleep_for(400ms);
      break;
    case StmFault::kGarbage:
      say(kNoise);
      break;
    case StmFault::kNone:
    case StmFault::kBabble:
    case StmFault::kRefuse:
      break;
  }
  say(text);
}

}  // namespace boruta::dryad
