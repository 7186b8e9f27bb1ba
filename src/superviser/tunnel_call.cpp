#include "superviser/tunnel_call.hpp"

#include <utility>

#include "superviser/call_metadata.hpp"

namespace boruta::superviser {

TunnelCall::TunnelCall(grpc::CallbackServerContext* context) : token_(token_in(*context)), context_(context) {}

void TunnelCall::refuse(grpc::Status status) {
  const std::scoped_lock lock(mutex());
  if (context_ != nullptr) Finish(std::move(status));
}

void TunnelCall::end_call(bool in_order) {
  if (context_ == nullptr) return;
  if (!in_order) context_->TryCancel();
  ending_ = in_order ? grpc::Status::OK : grpc::Status::CANCELLED;
  if (!writing()) written();
}

void TunnelCall::written() {
  if (ending_) Finish(*std::exchange(ending_, std::nullopt));
}

void TunnelCall::OnDone() {
  std::shared_ptr<TunnelCall> self;
  {
    const std::scoped_lock lock(mutex());
    self = std::move(held_by_grpc_);
    context_ = nullptr;
  }
  call_done();
}

}  // namespace boruta::superviser
