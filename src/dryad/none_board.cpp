#include "dryad/board.hpp"

namespace boruta::dryad {
namespace {

/// A plain Linux host: always well.
class NoneBoard final : public Board {
 public:
  std::expected<void, std::string> put_in_maintenance(const std::string&, const std::stop_token&) override {
    return {};
  }
  std::expected<void, std::string> ready(const std::stop_token&) override { return {}; }
  std::expected<void, Ailment> healthcheck(bool, const std::stop_token&) override { return {}; }
  agent::BoardResult act(agent::BoardAction action, const std::stop_token&) override {
    return cannot(action, "it has no driver, see board.driver in the config of its agent");
  }
};

}  // namespace

MadeBoard make_none_board(const BoardOptions&) { return std::make_unique<NoneBoard>(); }

}  // namespace boruta::dryad
