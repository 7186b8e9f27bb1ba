#include "store/sqlite_schema.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "store/checksum_vfs.hpp"

namespace boruta::store {
namespace {

/// Step N brings version N to N + 1. A step that was released is never changed.
///
/// Rows are narrow, because a commit writes whole pages: what requests have in common is in demands, a job
/// has a table of its own, and no table but events has an index beside its key. Times are nanoseconds since 1970.
constexpr std::array<std::string_view, 7> kSteps{
    R"sql(
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, actor TEXT NOT NULL, type TEXT NOT NULL,
  request_id INTEGER, worker BLOB, body TEXT NOT NULL) STRICT;
CREATE INDEX events_of_request ON events(request_id) WHERE request_id IS NOT NULL;
CREATE INDEX events_of_worker ON events(worker) WHERE worker IS NOT NULL;

CREATE TABLE users(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, groups TEXT NOT NULL,
  deleted INTEGER NOT NULL) STRICT;

CREATE TABLE tokens(
  id INTEGER PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, user_id INTEGER NOT NULL,
  created_ns INTEGER NOT NULL, expires_ns INTEGER, reusable INTEGER NOT NULL, bound_worker BLOB,
  revoked INTEGER NOT NULL) STRICT;

CREATE TABLE capability_sets(id INTEGER PRIMARY KEY, caps TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE requests(
  id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL,
  was_servable INTEGER NOT NULL, caps_id INTEGER NOT NULL,
  valid_after_ns INTEGER NOT NULL, valid_after_offset_minutes INTEGER NOT NULL,
  deadline_ns INTEGER NOT NULL, deadline_offset_minutes INTEGER NOT NULL,
  created_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, lease_ns INTEGER NOT NULL,
  claim_within_ns INTEGER NOT NULL, reason TEXT NOT NULL, last_event INTEGER NOT NULL) STRICT;

CREATE TABLE jobs(
  request_id INTEGER PRIMARY KEY, worker BLOB NOT NULL, started_ns INTEGER NOT NULL, timeout_ns INTEGER NOT NULL,
  timeout_max_ns INTEGER NOT NULL, claim_by_ns INTEGER, paused_since_ns INTEGER, pause_used_ns INTEGER NOT NULL,
  tunnel_port INTEGER NOT NULL, granted INTEGER NOT NULL) STRICT;

CREATE TABLE workers(
  uuid BLOB PRIMARY KEY, state TEXT NOT NULL, generation INTEGER NOT NULL, registration TEXT NOT NULL, groups TEXT,
  instance TEXT NOT NULL, connected INTEGER NOT NULL, lost INTEGER NOT NULL, dirty INTEGER NOT NULL,
  untold INTEGER NOT NULL, needs_full_check INTEGER NOT NULL, draining INTEGER NOT NULL, drain_reason TEXT NOT NULL,
  pending TEXT, respond_by_ns INTEGER, lost_at_ns INTEGER, job_request_id INTEGER, username TEXT NOT NULL,
  key_fingerprint TEXT NOT NULL, changed_ns INTEGER NOT NULL, reason TEXT NOT NULL, changed_by TEXT NOT NULL,
  idle_since INTEGER NOT NULL, last_event INTEGER NOT NULL) STRICT;

CREATE TABLE keys(worker BLOB PRIMARY KEY, pem BLOB NOT NULL) STRICT;
)sql",
    R"sql(
CREATE TABLE creations(
  request_id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL,
  at_ns INTEGER NOT NULL) STRICT;

ALTER TABLE workers ADD COLUMN drain_by TEXT NOT NULL DEFAULT '';
)sql",
    R"sql(
CREATE TABLE demands(
  id INTEGER PRIMARY KEY, caps TEXT NOT NULL, requirements TEXT NOT NULL, UNIQUE(caps, requirements)) STRICT;
INSERT INTO demands SELECT id, caps, '[]' FROM capability_sets;
DROP TABLE capability_sets;
ALTER TABLE requests RENAME COLUMN caps_id TO demand_id;

ALTER TABLE users ADD COLUMN ceiling_priority INTEGER;
ALTER TABLE users ADD COLUMN ceiling_running INTEGER;
ALTER TABLE users ADD COLUMN ceiling_waiting INTEGER;

ALTER TABLE jobs ADD COLUMN overdue INTEGER NOT NULL DEFAULT 0;

CREATE TABLE limited_groups(
  name TEXT PRIMARY KEY, ceiling_priority INTEGER, ceiling_running INTEGER, ceiling_waiting INTEGER) STRICT;
)sql",
    R"sql(
CREATE TABLE user_keys(
  id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, name TEXT NOT NULL, public_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL, created_ns INTEGER NOT NULL, removed INTEGER NOT NULL) STRICT;

ALTER TABLE tokens ADD COLUMN max_workers INTEGER;
ALTER TABLE tokens ADD COLUMN workers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE tokens ADD COLUMN in_service INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN last_used_ns INTEGER;

ALTER TABLE jobs ADD COLUMN own_keys INTEGER NOT NULL DEFAULT 0;
)sql",
    // Pages with checksums, which rewrite_pages made before: a server that would write some without must not try.
    "",
    // The one row of forgotten tells what the requests that are gone cannot.
    R"sql(
CREATE TABLE checkpoints(seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
CREATE TABLE forgotten(id INTEGER PRIMARY KEY, last_request INTEGER NOT NULL, until_ns INTEGER NOT NULL) STRICT;
)sql",
    // A checkpoint without seq is not complete, or is not needed any more: its rows go. Those of before are replaced by
    // the first that is made.
    R"sql(
DROP TABLE checkpoints;
CREATE TABLE checkpoints(
  id INTEGER PRIMARY KEY, seq INTEGER, at_ns INTEGER, last_request INTEGER, forgotten_until_ns INTEGER) STRICT;
CREATE TABLE checkpoint_rows(
  checkpoint INTEGER NOT NULL, kind TEXT NOT NULL, key ANY NOT NULL, row TEXT NOT NULL,
  PRIMARY KEY(checkpoint, kind, key)) STRICT, WITHOUT ROWID;
)sql"};

constexpr auto kNewest = static_cast<std::int64_t>(kSteps.size());

/// The WAL is emptied into the file every so many pages; without it commits get slower as it grows.
constexpr int kCheckpointPages = 1'000;
/// An emptied log keeps so many bytes, as many as those pages take, since writing over them is faster than growing it
/// anew; what one large transaction added is cut off.
constexpr int kLogBytes = 4 * 1024 * 1024;
constexpr int kCacheKibibytes = 32 * 1024;

std::unexpected<StoreError> refused(const Database& database, std::string_view why) {
  return std::unexpected(
      StoreError{.code = StoreErrorCode::kCorrupt, .message = fmt::format("{} {}", database.file().string(), why)});
}

/// The file can give back pages that it needs no more, a few at a time.
constexpr std::string_view kShrinkable = "PRAGMA auto_vacuum = INCREMENTAL";
constexpr std::int64_t kIncremental = 2;

/// All pages anew, as one transaction in the log, with checksums and shrinkable. The first page goes to the file first,
/// and with it the header that says how the others are written.
std::expected<void, StoreError> rewrite_pages(Database& database) {
  const auto vacuum = database.number("PRAGMA auto_vacuum");
  if (!vacuum) return std::unexpected(vacuum.error());
  if (database.reserved_bytes() == kChecksumBytes && *vacuum == kIncremental) return {};
  database.reserve_bytes(kChecksumBytes);
  return database.execute("write all pages anew", fmt::format("{}; VACUUM", kShrinkable));
}

std::expected<void, StoreError> migrate(Database& database, std::int64_t version) {
  for (auto from = version; from < kNewest; ++from) {
    auto done =
        database.execute("make the tables",
                         fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
                                     kSteps.at(static_cast<std::size_t>(from)), kApplicationId, from + 1));
    if (!done) return done;
  }
  return {};
}

std::expected<void, StoreError> configure_and_migrate(Database& database) {
  auto done = database.execute(
      "configure", fmt::format("PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF;"
                               "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -{}",
                               kCacheKibibytes));
  if (!done) return done;
  const auto version = schema_version(database);
  if (!version) return std::unexpected(version.error());
  if (*version == 0) {
    database.reserve_bytes(kChecksumBytes);
    if (auto set = database.execute("configure", std::string(kShrinkable)); !set) return set;
  }
  // secure_delete overwrites deleted keys with zeros.
  done = database.execute("configure",
                          fmt::format("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                                      "PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = {}",
                                      kCheckpointPages, kLogBytes));
  if (done) done = rewrite_pages(database);
  return done ? migrate(database, *version) : done;
}

}  // namespace

std::expected<void, StoreError> set_up(Database& database) {
  auto done = configure_and_migrate(database);
  if (!done && database.last_primary_code() == SQLITE_BUSY) {
    done.error() = {.code = StoreErrorCode::kFenced,
                    .message = fmt::format("{} is in use by another program: stop it first", database.file().string())};
  }
  return done;
}

std::expected<std::int64_t, StoreError> schema_version(Database& database) {
  const auto version = database.number("PRAGMA user_version");
  if (!version) return version;
  const auto application = database.number("PRAGMA application_id");
  if (!application) return application;
  const auto tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables;
  const bool fresh = *application == 0 && *version == 0 && *tables == 0;
  if (!fresh && *application != kApplicationId) {
    return refused(database, "is another program's database: give borutad a data directory of its own");
  }
  if (*version < 0 || *version > kNewest) {
    return refused(database, fmt::format("has schema version {} of a newer borutad; this one knows versions up to {}: "
                                         "run the newer one, or restore the backup made before the upgrade",
                                         *version, kNewest));
  }
  return version;
}

}  // namespace boruta::store
