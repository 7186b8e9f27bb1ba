#include "dryad/stm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace boruta::dryad {
namespace {

using std::chrono::steady_clock;

/// No answer is longer.
constexpr std::size_t kLineBytes = 256;
/// Of an answer that makes no sense, for people.
constexpr std::size_t kShownBytes = 40;
constexpr std::string_view kOk = "OK";
constexpr std::string_view kEchoOff = "echo off";

std::optional<int> number_in(std::string_view line) {
  int number = 0;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != line.data() + line.size()) return std::nullopt;
  return number;
}

std::string shown(std::string_view line) {
  std::string text(line.substr(0, kShownBytes));
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::expected<void, std::string> Stm::run(std::string_view command, const std::stop_token& stop, Again again,
                                          std::chrono::milliseconds takes) {
  const auto done = converse(command, false, again, takes, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

std::expected<int, std::string> Stm::ask(std::string_view command, const std::stop_token& stop) {
  const auto number = converse(command, true, Again::kYes, {}, stop);
  if (!number) return std::unexpected(number.error());
  return **number;
}

std::expected<Stm::Number, std::string> Stm::converse(std::string_view command, bool number, Again again,
                                                      std::chrono::milliseconds takes, const std::stop_token& stop) {
  const int attempts = again == Again::kYes ? 2 : 1;
  for (int left = attempts;; --left) {
    if (!in_step_) {
      if (auto ready = get_in_step(stop); !ready) {
        port_.reset();
        return std::unexpected(ready.error().text);
      }
    }
    auto answer = attempt(command, number, takes, stop);
    if (answer) return *answer;
    in_step_ = false;
    if (answer.error().fault == SerialFault::kBroken) port_.reset();
    if (left == 1 || answer.error().fault == SerialFault::kStopped) return std::unexpected(answer.error().text);
  }
}

std::expected<Stm::Number, SerialError> Stm::attempt(std::string_view command, bool number,
                                                     std::chrono::milliseconds takes, const std::stop_token& stop) {
  const auto deadline = steady_clock::now() + options_.answer_within + takes;
  if (auto sent = port_->write(fmt::format("{}\n", command), deadline, stop); !sent) {
    return std::unexpected(sent.error());
  }
  Number value;
  for (;;) {
    auto line = next_line(deadline, stop);
    if (!line && line.error().fault == SerialFault::kTimedOut) {
      return std::unexpected(SerialError{
          SerialFault::kTimedOut, fmt::format("{}: the STM does not answer \"{}\"", options_.tty.native(), command)});
    }
    if (!line) return std::unexpected(line.error());
    if (*line == kOk && value.has_value() == number) return value;
    if (*line == command) {
      // It began anew, and echoes what it hears until it is told not to.
      in_step_ = false;
      continue;
    }
    const bool awaited = number && !value;
    if (awaited) value = number_in(*line);
    if (!awaited || !value) return std::unexpected(nonsense(command, *line));
  }
}

SerialError Stm::nonsense(std::string_view command, std::string_view line) const {
  return {SerialFault::kGarbled,
          fmt::format("{}: the STM answers \"{}\" with \"{}\"", options_.tty.native(), command, shown(line))};
}

std::expected<void, SerialError> Stm::get_in_step(const std::stop_token& stop) {
  received_.clear();
  if (!port_) {
    auto opened = SerialPort::open(options_.tty, options_.baud);
    if (!opened) return std::unexpected(SerialError{SerialFault::kBroken, opened.error()});
    port_ = *std::move(opened);
  }
  if (auto quiet = await_quiet(stop); !quiet) return quiet;
  const auto deadline = steady_clock::now() + options_.answer_within;
  // The first line end ends what the STM may have of a line already.
  if (auto sent = port_->write(fmt::format("\n{}\n", kEchoOff), deadline, stop); !sent) return sent;
  for (bool answered = false; !answered;) {
    const auto line = next_line(deadline, stop);
    if (!line && line.error().fault == SerialFault::kTimedOut) {
      return std::unexpected(
          SerialError{SerialFault::kTimedOut, fmt::format("{}: the STM does not answer", options_.tty.native())});
    }
    if (!line) return std::unexpected(line.error());
    answered = *line == kOk;
  }
  // That may have been the late answer to something older; then this one's own is still to come.
  if (auto quiet = await_quiet(stop); !quiet) return quiet;
  in_step_ = true;
  return {};
}

std::expected<void, SerialError> Stm::await_quiet(const std::stop_token& stop) {
  const auto deadline = steady_clock::now() + options_.answer_within;
  while (steady_clock::now() < deadline) {
    const auto heard = port_->read_some(steady_clock::now() + options_.quiet, stop);
    received_.clear();
    if (heard) continue;
    if (heard.error().fault == SerialFault::kTimedOut) return {};
    return std::unexpected(heard.error());
  }
  return std::unexpected(SerialError{SerialFault::kGarbled,
                                     fmt::format("{}: what comes is not of an STM that was asked nothing: is it the "
                                                 "right line, and the right speed?",
                                                 options_.tty.native())});
}

std::expected<std::string, SerialError> Stm::next_line(SerialPort::Deadline deadline, const std::stop_token& stop) {
  for (;;) {
    const auto end = received_.find('\n');
    if (end == std::string::npos) {
      if (received_.size() > kLineBytes) return std::unexpected(nonsense("something", received_));
      auto more = port_->read_some(deadline, stop);
      if (!more) return std::unexpected(more.error());
      received_ += *more;
      continue;
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    while (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) return line;
  }
}

}  // namespace boruta::dryad
