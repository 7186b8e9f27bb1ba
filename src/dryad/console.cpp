#include "dryad/console.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/log.hpp"

namespace boruta::dryad {

/// An open line. The descriptor is the port's own, lent to Asio.
struct Console::Line {
  Line(SerialPort opened, const asio::any_io_executor& executor)
      : port(std::move(opened)), stream(executor, port.fd()) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() { stream.release(); }

  void close() {
    boost::system::error_code ignored;
    open = false;
    stream.cancel(ignored);
  }

  SerialPort port;
  asio::posix::stream_descriptor stream;
  std::string unsent;
  bool sending = false;
  bool open = true;
};

Console::Console(Parts parts)
    : parts_(std::move(parts)),
      log_(parts_.log_dir),
      retry_(parts_.clock->make_timer(parts_.executor)),
      tasks_(parts_.executor) {}

Console::~Console() = default;

void Console::serve(std::optional<RequestId> job) {
  if (job == job_) return;
  ++round_;
  job_ = job;
  if (line_) line_->close();
  line_.reset();
  retry_->cancel();
  writer_.reset();
  for (const auto& reader : std::exchange(readers_, {})) reader->ended();
  if (!job) return;
  if (auto begun = log_.begin(*job); !begun) {
    runtime::log_warning("the console of a job is not kept",
                         {{"job", std::to_string(job->value)}, {"reason", begun.error()}});
  }
  tasks_.spawn("console", keep_open(round_));
}

bool Console::attach(const std::shared_ptr<ConsoleReader>& reader) {
  readers_.push_back(reader);
  if (!writer_) writer_ = reader;
  return writer_ == reader;
}

void Console::detach(const std::shared_ptr<ConsoleReader>& reader) {
  std::erase(readers_, reader);
  stop_writing(reader);
}

void Console::stop_writing(const std::shared_ptr<ConsoleReader>& reader) {
  if (writer_ == reader) writer_.reset();
}

bool Console::write(const std::shared_ptr<ConsoleReader>& reader, std::string_view bytes) {
  if (reader != writer_ || !line_) return true;
  if (line_->unsent.size() + bytes.size() > kConsoleBacklog) return false;
  line_->unsent += bytes;
  if (!line_->sending) tasks_.spawn("console's input", flush(line_));
  return true;
}

Task<void> Console::keep_open(std::uint64_t round) {
  std::string said;
  while (round == round_) {
    auto port = parts_.open();
    if (port) {
      said.clear();
      const auto line = std::make_shared<Line>(*std::move(port), parts_.executor);
      line_ = line;
      co_await read(line);
      if (round != round_) co_return;
      line_.reset();
      announce("the console's line is gone; it is opened again when it is back");
    } else if (port.error() != said) {
      said = port.error();
      announce(said);
    }
    retry_->expires_at(parts_.clock->now().lease + kConsoleRetry);
    co_await retry_->wait();
  }
}

Task<void> Console::read(std::shared_ptr<Line> line) {
  std::array<char, 4096> buffer;
  while (line->open) {
    const auto [error, size] =
        co_await line->stream.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (error || !line->open) break;
    tell({buffer.data(), size});
  }
  line->close();
}

Task<void> Console::flush(std::shared_ptr<Line> line) {
  line->sending = true;
  while (line->open && !line->unsent.empty()) {
    const std::string piece = std::exchange(line->unsent, {});
    const auto [error, size] =
        co_await asio::async_write(line->stream, asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
    if (error) break;
  }
  line->sending = false;
}

void Console::tell(std::string_view bytes) {
  log_.append(bytes);
  // One that can't keep up leaves from within.
  const auto readers = readers_;
  for (const auto& reader : readers) reader->heard(bytes);
}

void Console::announce(const std::string& text) { tell(fmt::format("\r\n[dryad: {}]\r\n", text)); }

}  // namespace boruta::dryad
