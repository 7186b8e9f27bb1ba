#include "base/agent_messages.hpp"

namespace boruta::agent {
namespace {

struct KindOf {
  CommandKind operator()(const Prepare&) const { return CommandKind::kPrepare; }
  CommandKind operator()(const Grant&) const { return CommandKind::kGrant; }
  CommandKind operator()(const EndJob&) const { return CommandKind::kEndJob; }
  CommandKind operator()(const PutInMaintenance&) const { return CommandKind::kPutInMaintenance; }
  CommandKind operator()(const Healthcheck&) const { return CommandKind::kHealthcheck; }
};

}  // namespace

CommandKind kind_of(const Command& command) { return std::visit(KindOf{}, command.body); }

}  // namespace boruta::agent
