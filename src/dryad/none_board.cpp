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
};

}  // namespace

MadeBoard make_none_board(const BoardOptions&) { return std::make_unique<NoneBoard>(); }

}  // namespace boruta::dryad
