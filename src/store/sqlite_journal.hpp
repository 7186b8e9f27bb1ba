#pragma once

#include <expected>
#include <filesystem>
#include <memory>

#include "store/journal.hpp"

namespace boruta::store {

/// Opens the journal in `directory`, and makes both if they are not there: the directory 0700, `boruta.db` in it 0600.
/// It is this process's alone until the journal is destroyed; a lock on `directory/lock` keeps other servers out.
///
/// kFenced: another process uses it; the message says which. kCorrupt: what is there is damaged, too new or not ours.
/// kBusy: the directory or a file cannot be made, read or written.
///
/// Every page has a checksum, so damage is found when what is damaged is read: in rows by `load`, in events by `read`,
/// anywhere by a backup. A damaged log counts up to the damage, as if it were torn there.
///
/// A deleted key is overwritten with zeros in its page at once, but SQLite's log (`boruta.db-wal`) shows the page as it
/// was until `scrub`, or the journal is destroyed. What the file system or the disk keeps of freed blocks is beyond
/// reach.
///
/// `append` answers kBusy only when the transaction was taken back, and kUnknown when a failure came so late that the
/// log may hold all of it, as when the disk fails to sync.
///
/// A request's job, once stored, stays: a request that comes without one later does not take it away.
[[nodiscard]] std::expected<std::unique_ptr<Journal>, StoreError> make_sqlite_journal(
    const std::filesystem::path& directory);

}  // namespace boruta::store
