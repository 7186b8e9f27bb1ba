#include "base/agent_messages.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace boruta::agent {
namespace {

struct KindOf {
  CommandKind operator()(const Prepare&) const { return CommandKind::kPrepare; }
  CommandKind operator()(const Grant&) const { return CommandKind::kGrant; }
  CommandKind operator()(const EndJob&) const { return CommandKind::kEndJob; }
  CommandKind operator()(const PutInMaintenance&) const { return CommandKind::kPutInMaintenance; }
  CommandKind operator()(const Healthcheck&) const { return CommandKind::kHealthcheck; }
};

constexpr std::array<std::pair<BoardAction, std::string_view>, 6> kActions{{{BoardAction::kPowerOn, "power on"},
                                                                            {BoardAction::kPowerOff, "power off"},
                                                                            {BoardAction::kPowerCycle, "power cycle"},
                                                                            {BoardAction::kSdHost, "sd host"},
                                                                            {BoardAction::kSdDut, "sd dut"},
                                                                            {BoardAction::kCurrent, "current"}}};

}  // namespace

std::string_view words_of(BoardAction action) {
  return std::ranges::find(kActions, action, [](const auto& entry) { return entry.first; })->second;
}

std::optional<BoardAction> parse_board_action(std::string_view words) {
  const auto* found = std::ranges::find(kActions, words, [](const auto& entry) { return entry.second; });
  return found == kActions.end() ? std::nullopt : std::optional(found->first);
}

CommandKind kind_of(const Command& command) { return std::visit(KindOf{}, command.body); }

}  // namespace boruta::agent
