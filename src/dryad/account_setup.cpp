#include "dryad/account_setup.hpp"

namespace boruta::dryad {

std::filesystem::path board_socket_of(const Config& config) {
  if (!config.board.socket.empty()) return config.board.socket;
  return config.access == AccessMode::kPrivate ? config.state_dir / "board.sock" : "/run/boruta/board.sock";
}

AccountAccessOptions account_options(const Config& config, const std::string& instance) {
  return {.state_dir = config.state_dir,
          .instance = instance,
          .username = config.user_name,
          .groups = config.user_groups,
          .ssh_port = config.ssh.port.value_or(kSshPort),
          .kill_limit = config.kill_limit};
}

}  // namespace boruta::dryad
