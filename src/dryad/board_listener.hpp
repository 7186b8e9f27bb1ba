#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "runtime/descriptor.hpp"

namespace boruta::dryad {

/// A unix socket at `path` that listens and that any user may connect to. The directory is made (0755) where it is
/// missing; a socket that nobody listens at any more is replaced. Error: the path is too long for a socket, somebody
/// listens there, or the file system says no.
std::expected<runtime::Descriptor, std::string> listen_at(const std::filesystem::path& path);

}  // namespace boruta::dryad
