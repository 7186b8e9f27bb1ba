#pragma once

#include <expected>
#include <string>
#include <vector>

#include "dryad/config.hpp"

namespace boruta::dryad {

/// What `sshd -T` printed, judged: whether an sshd that is configured so lets in `user`, who is in `groups` and in one
/// of the same name, by a key in ~/.ssh/authorized_keys. The error says what stands in the way.
[[nodiscard]] std::expected<void, std::string> judge_sshd_settings(const std::string& settings, const std::string& user,
                                                                   std::vector<std::string> groups);

/// Whether the sshd that the config's access mode relies on is there and takes the configuration that it would run
/// with; of the system's, also whether it runs and would let the job's account in. Leaves nothing behind. The error
/// says what is wrong and what to do.
[[nodiscard]] std::expected<void, std::string> check_sshd(const Config& config);

}  // namespace boruta::dryad
