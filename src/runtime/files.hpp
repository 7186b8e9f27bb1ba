#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

/// Small files, read and replaced as a whole. Errors are texts that name the path. All block.
namespace boruta::runtime {

/// "PATH: No such file or directory".
[[nodiscard]] std::string errno_text(const std::filesystem::path& path, int error);

enum class LastLink : unsigned char { kFollowed, kRefused };

/// The content of a regular file of at most `limit` bytes. `link`: where `path` ends in one that somebody else could
/// have put there.
std::expected<std::string, std::string> read_file(const std::filesystem::path& path, std::size_t limit,
                                                  LastLink link = LastLink::kFollowed);

/// Replaces the file as a whole and returns when the new one would survive a loss of power. Its directory must exist.
std::expected<void, std::string> write_file_durably(const std::filesystem::path& path, std::string_view content,
                                                    mode_t mode);

}  // namespace boruta::runtime
