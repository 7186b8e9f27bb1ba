#pragma once

#include <boost/asio/signal_set.hpp>

#include <functional>

#include "cli/process.hpp"

namespace boruta::cli {

/// SIGINT, SIGTERM and SIGHUP, while it lives. The first one asks to stop, the second one insists; a child process gets
/// them too: the first as it is, unless the terminal has sent it already, then SIGKILL.
/// Thread: the executor's.
class Interrupts {
 public:
  /// `notify` is called after each signal.
  Interrupts(const asio::any_io_executor& executor, std::function<void()> notify);

  [[nodiscard]] unsigned count() const { return count_; }
  [[nodiscard]] bool any() const { return count_ > 0; }
  /// Who gets the signals; null for nobody. The child must outlive it.
  void set_child(const Child* child) { child_ = child; }

 private:
  void wait();
  void pass_on(int number) const;

  asio::signal_set signals_;
  std::function<void()> notify_;
  const Child* child_ = nullptr;
  unsigned count_ = 0;
};

}  // namespace boruta::cli
