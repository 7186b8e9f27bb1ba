#include "superviser/stream.hpp"

#include <boost/asio/post.hpp>

#include <utility>

#include "proto/agent_codec.hpp"
#include "proto/completion_order.hpp"
#include "runtime/log.hpp"
#include "superviser/call_metadata.hpp"

namespace boruta::superviser {
namespace {

/// Messages of one agent that wait for those before them.
constexpr std::size_t kInboundMessages = 32;
/// Messages that an agent has not taken yet.
constexpr std::size_t kOutboundMessages = 256;

grpc::Status status_of(const std::optional<Refusal>& why) {
  if (!why) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(grpc_code_of(why->code)), message_of(*why)};
}

}  // namespace

Stream::Stream(asio::any_io_executor strand, grpc::CallbackServerContext* context)
    : strand_(std::move(strand)),
      peer_(peer_address(context->peer())),
      token_(token_in(*context)),
      changed_(strand_),
      context_(context) {}

void Stream::hold() {
  held_by_grpc_ = shared_from_this();
  proto::will_begin(this);
}

Task<std::expected<agent::FromAgent, Stream::End>> Stream::next() {
  while (inbound_.empty() && !input_ended_ && !closing_) co_await changed_.wait();
  if (closing_ || inbound_.empty()) co_return std::unexpected(End::kClosed);
  auto message = std::move(inbound_.front());
  inbound_.pop_front();
  read_more();
  if (!message) co_return std::unexpected(End::kUnknown);
  co_return std::move(*message);
}

void Stream::send(agent::ToAgent message) {
  if (closing_) return;
  if (outbound_.size() >= kOutboundMessages) {
    runtime::log_warning("agent does not take its messages", {{"peer", peer_}});
    outbound_.clear();
    close(Refusal{.code = RefusalCode::kTooMany, .detail = "too many messages wait for the agent"});
    return;
  }
  outbound_.push_back(proto::encode(message));
  write_more();
}

void Stream::close(std::optional<Refusal> why) {
  if (closing_) return;
  closing_ = status_of(why);
  changed_.notify_all();
  write_more();
}

void Stream::admit() {
  admitted_ = true;
  read_more();
}

Task<void> Stream::finished() {
  while (!done_) co_await changed_.wait();
}

void Stream::abort() {
  const std::scoped_lock lock(context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void Stream::read_more() {
  if (reading_ || input_ended_ || finished_ || inbound_.size() >= (admitted_ ? kInboundMessages : 1)) return;
  reading_ = true;
  proto::will_begin(this);
  StartRead(&incoming_);
}

void Stream::write_more() {
  if (writing_ || finished_) return;
  if (!outbound_.empty()) {
    outgoing_ = std::move(outbound_.front());
    outbound_.pop_front();
    writing_ = true;
    proto::will_begin(this);
    StartWrite(&outgoing_);
  } else if (closing_) {
    finished_ = true;
    proto::will_begin(this);
    Finish(*closing_);
  }
}

void Stream::OnReadDone(bool ok) {
  proto::has_ended(this);
  std::optional<agent::FromAgent> message;
  if (ok) {
    message = proto::decode(incoming_);
    if (incoming_.has_done()) wipe(*incoming_.mutable_done()->mutable_private_key());
  }
  asio::post(strand_, [self = shared_from_this(), ok, message = std::move(message)]() mutable {
    self->on_read(ok, std::move(message));
  });
}

void Stream::on_read(bool ok, std::optional<agent::FromAgent> message) {
  reading_ = false;
  if (ok) {
    inbound_.push_back(std::move(message));
  } else {
    input_ended_ = true;
  }
  read_more();
  changed_.notify_all();
}

void Stream::OnWriteDone(bool ok) {
  proto::has_ended(this);
  asio::post(strand_, [self = shared_from_this(), ok] { self->on_written(ok); });
}

void Stream::on_written(bool ok) {
  writing_ = false;
  // The call is broken, which the reading side hears too.
  if (!ok) outbound_.clear();
  write_more();
}

void Stream::OnDone() {
  proto::has_ended(this);
  {
    const std::scoped_lock lock(context_mutex_);
    context_ = nullptr;
  }
  asio::post(strand_, [self = std::move(held_by_grpc_)] {
    self->done_ = true;
    self->changed_.notify_all();
  });
}

}  // namespace boruta::superviser
