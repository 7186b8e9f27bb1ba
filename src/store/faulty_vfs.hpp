#pragma once

namespace boruta::store {

/// Test support: while it lives, SQLite's files of this process lie on a disk that fails on demand. One at a time, and
/// made before the journals that it is meant for.
class FaultyVfs {
 public:
  FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  ~FaultyVfs();

  /// The write after `count` further ones, and all that follow, find the disk full.
  void fill_up_after(int count);
  /// Syncs fail from now on.
  void fail_syncs();
  /// All works again.
  void heal();
  /// Whether a call has failed since the last `heal`.
  [[nodiscard]] bool has_failed() const;
};

}  // namespace boruta::store
