#pragma once

#include <cstdint>
#include <span>

namespace boruta::store {

/// Each page of a database file ends in so many bytes that SQLite leaves alone, for a checksum.
inline constexpr int kChecksumBytes = 8;

/// The VFS, for `sqlite3_open_v2`, that writes a checksum into every page of a database file and verifies it at every
/// reading: a page that is not what was written, or was written for another place, is answered by SQLITE_IOERR_DATA. It
/// stands on the VFS that is the default when a file is opened.
///
/// Only files whose header sets kChecksumBytes aside (SQLITE_FCNTL_RESERVE_BYTES) have checksums; others are read and
/// written as they are. Logs are left alone, for their frames have checksums of SQLite's own. No shared memory: the
/// connection must have the file to itself.
/// Thread: any.
[[nodiscard]] const char* checksum_vfs();

/// Of a page without its last kChecksumBytes; `number` counts from 1. A change of any one word of 8 bytes changes it.
[[nodiscard]] std::uint64_t page_checksum(std::span<const std::uint8_t> content, std::uint64_t number);

}  // namespace boruta::store
