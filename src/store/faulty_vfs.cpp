#include "store/faulty_vfs.hpp"

#include <sqlite3.h>

#include <optional>

#include "base/assert.hpp"

namespace boruta::store {
namespace {

/// SQLite hands no context to the calls on a file, so the state is global.
struct State {
  sqlite3_vfs* real = nullptr;
  sqlite3_vfs shim{};
  std::optional<int> writes_left;
  bool syncs_fail = false;
  bool failed = false;
};

State& state() {
  static State kept;
  return kept;
}

/// What SQLite sees as a file; the real one lies right behind it.
struct File {
  sqlite3_file base;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real(); }

int close_file(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }

int read_file(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  return real(file)->pMethods->xRead(real(file), data, size, offset);
}

int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  auto& left = state().writes_left;
  if (left && *left == 0) {
    state().failed = true;
    return SQLITE_FULL;
  }
  if (left) --*left;
  return real(file)->pMethods->xWrite(real(file), data, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) { return real(file)->pMethods->xTruncate(real(file), size); }

int sync_file(sqlite3_file* file, int flags) {
  if (state().syncs_fail) {
    state().failed = true;
    return SQLITE_IOERR_FSYNC;
  }
  return real(file)->pMethods->xSync(real(file), flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) { return real(file)->pMethods->xFileSize(real(file), size); }
int lock_file(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
int unlock_file(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
int check_lock(sqlite3_file* file, int* held) { return real(file)->pMethods->xCheckReservedLock(real(file), held); }
int control_file(sqlite3_file* file, int what, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }

/// Version 1: no shared memory, which a connection that has the file to itself does not need.
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
  file->pMethods = nullptr;
  const int code = state().real->xOpen(state().real, name, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  auto& kept = state();
  kept = State{};
  kept.real = sqlite3_vfs_find(nullptr);
  BORUTA_ASSERT(kept.real != nullptr);
  kept.shim = *kept.real;
  kept.shim.zName = "faulty";
  kept.shim.pNext = nullptr;
  kept.shim.szOsFile = static_cast<int>(sizeof(File)) + kept.real->szOsFile;
  kept.shim.xOpen = open_file;
  sqlite3_vfs_register(&kept.shim, 1);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&state().shim);
  sqlite3_vfs_register(state().real, 1);
}

void FaultyVfs::fill_up_after(int count) { state().writes_left = count; }
void FaultyVfs::fail_syncs() { state().syncs_fail = true; }

void FaultyVfs::heal() {
  state().writes_left.reset();
  state().syncs_fail = false;
  state().failed = false;
}

bool FaultyVfs::has_failed() const { return state().failed; }

}  // namespace boruta::store
