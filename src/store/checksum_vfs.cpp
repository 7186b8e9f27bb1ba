#include "store/checksum_vfs.hpp"

#include <sqlite3.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace boruta::store {
namespace {

constexpr int kSmallestPage = 512;
constexpr int kLargestPage = 65'536;
/// The database header, at the beginning of the first page.
constexpr int kHeaderBytes = 100;
constexpr int kReservedOffset = 20;

/// What SQLite sees as a file.
struct File {
  sqlite3_file base;
  sqlite3_file* real;
  bool is_database;
  /// As its header says, which SQLite reads or writes before any other page.
  bool has_checksums;
};

File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) { return ours(file)->real; }

void look_at_header(File& file, const void* data, int size, sqlite3_int64 offset) {
  if (!file.is_database || offset != 0 || size < kHeaderBytes) return;
  file.has_checksums = static_cast<const std::uint8_t*>(data)[kReservedOffset] == kChecksumBytes;
}

/// Smaller accesses are to the header alone.
bool is_page(const File& file, int size) {
  return file.has_checksums && size >= kSmallestPage && size <= kLargestPage &&
         std::has_single_bit(static_cast<unsigned>(size));
}

std::uint64_t checksum_at(const std::uint8_t* page, int size, sqlite3_int64 offset) {
  const auto number = static_cast<std::uint64_t>(offset / size) + 1;
  return page_checksum({page, static_cast<std::size_t>(size - kChecksumBytes)}, number);
}

int close_file(sqlite3_file* file) {
  const int code = real(file)->pMethods->xClose(real(file));
  std::free(real(file));
  return code;
}

int read_file(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  const int code = real(file)->pMethods->xRead(real(file), data, size, offset);
  if (code != SQLITE_OK) return code;
  look_at_header(*ours(file), data, size, offset);
  if (!is_page(*ours(file), size)) return SQLITE_OK;
  const auto* page = static_cast<const std::uint8_t*>(data);
  std::uint64_t written = 0;
  std::memcpy(&written, page + size - kChecksumBytes, sizeof written);
  return written == checksum_at(page, size, offset) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  look_at_header(*ours(file), data, size, offset);
  if (!is_page(*ours(file), size)) return real(file)->pMethods->xWrite(real(file), data, size, offset);
  // SQLite's own page stays as it is: others may be looking at it.
  std::array<std::uint8_t, kLargestPage> page;
  std::memcpy(page.data(), data, static_cast<std::size_t>(size));
  const auto checksum = checksum_at(page.data(), size, offset);
  std::memcpy(page.data() + size - kChecksumBytes, &checksum, sizeof checksum);
  return real(file)->pMethods->xWrite(real(file), page.data(), size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) { return real(file)->pMethods->xTruncate(real(file), size); }
int sync_file(sqlite3_file* file, int flags) { return real(file)->pMethods->xSync(real(file), flags); }
int file_size(sqlite3_file* file, sqlite3_int64* size) { return real(file)->pMethods->xFileSize(real(file), size); }
int lock_file(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
int unlock_file(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
int check_lock(sqlite3_file* file, int* held) { return real(file)->pMethods->xCheckReservedLock(real(file), held); }
int control_file(sqlite3_file* file, int what, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }

/// Version 1: neither shared memory nor pages that are mapped, and so never read.
constexpr sqlite3_io_methods kMethods{
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* /*vfs*/, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  auto* below = sqlite3_vfs_find(nullptr);
  file->pMethods = nullptr;
  auto* opened = static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>(below->szOsFile)));
  if (opened == nullptr) return SQLITE_NOMEM;
  const int code = below->xOpen(below, name, opened, flags, out_flags);
  if (opened->pMethods == nullptr) {
    std::free(opened);
    return code;
  }
  *ours(file) = File{.base = {.pMethods = &kMethods},
                     .real = opened,
                     .is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0,
                     .has_checksums = false};
  return code;
}

sqlite3_vfs make_vfs() {
  sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);
  vfs.zName = "checksums";
  vfs.pNext = nullptr;
  vfs.szOsFile = static_cast<int>(sizeof(File));
  vfs.xOpen = open_file;
  return vfs;
}

}  // namespace

std::uint64_t page_checksum(std::span<const std::uint8_t> content, std::uint64_t number) {
  // Each step is a bijection of the sum for a given word, and of the word for a given sum.
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
  constexpr int kTurn = 29;
  std::uint64_t sum = (number + 1) * kOdd;
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= content.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, content.data() + at, sizeof word);
    sum = std::rotl((sum ^ word) * kOdd, kTurn);
  }
  return sum;
}

const char* checksum_vfs() {
  static sqlite3_vfs vfs = make_vfs();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? vfs.zName : nullptr;
}

}  // namespace boruta::store
