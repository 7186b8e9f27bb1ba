#include "cli/interrupts.hpp"

#include <csignal>

#include "cli/terminal.hpp"

namespace boruta::cli {

Interrupts::Interrupts(const asio::any_io_executor& executor, std::function<void()> notify)
    : signals_(executor, SIGINT, SIGTERM, SIGHUP), notify_(std::move(notify)) {
  wait();
}

void Interrupts::wait() {
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    ++count_;
    pass_on(number);
    notify_();
    wait();
  });
}

void Interrupts::pass_on(int number) const {
  if (child_ == nullptr) return;
  if (count_ > 1) {
    child_->signal(SIGKILL);
  } else if (number != SIGINT || !is_foreground()) {
    child_->signal(number);
  }
}

}  // namespace boruta::cli
