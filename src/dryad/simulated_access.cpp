#include "dryad/simulated_access.hpp"

namespace boruta::dryad {

std::expected<Endpoint, std::string> SimulatedAccess::start() {
  return Endpoint{.ssh_port = ssh_port_,
                  // Of the right form, with a point that no sshd has the other half of.
                  .host_keys = {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
                  .standing = false};
}

std::expected<Login, std::string> SimulatedAccess::prepare() {
  auto key = keys_.take();
  return Login{.username = "boruta-user", .private_key = std::move(key.private_pem)};
}

std::expected<void, std::string> SimulatedAccess::grant(const std::vector<std::string>& public_keys) {
  const auto text = authorized_keys_text(public_keys);
  if (!text) return std::unexpected(text.error());
  return {};
}

}  // namespace boruta::dryad
