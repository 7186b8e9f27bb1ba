#pragma once

#include "dryad/access.hpp"
#include "dryad/access_key.hpp"

namespace boruta::dryad {

/// Nothing behind it: every operation succeeds at once, the keys are real ones from `keys`.
class SimulatedAccess final : public Access {
 public:
  /// `keys` must outlive this.
  explicit SimulatedAccess(KeySource& keys, std::uint16_t ssh_port) : keys_(keys), ssh_port_(ssh_port) {}

  std::expected<void, std::string> check() override { return {}; }
  std::expected<Endpoint, std::string> start() override;
  std::expected<Login, std::string> prepare() override;
  std::expected<void, std::string> grant(const std::vector<std::string>& public_keys) override;
  std::expected<void, std::string> end_job() override { return {}; }
  std::expected<void, std::string> probe() override { return {}; }
  void stop(bool) override {}

 private:
  KeySource& keys_;
  std::uint16_t ssh_port_;
};

}  // namespace boruta::dryad
