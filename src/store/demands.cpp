#include "store/demands.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/json_fields.hpp"

namespace boruta::store {
namespace {

/// More would buy nothing: farms have dozens of kinds of requests. Those that don't fit are looked up.
constexpr std::size_t kRememberedIds = 4'096;

}  // namespace

std::expected<DemandTable, StoreError> DemandTable::prepare(Database& database) {
  DemandTable demands(database);
  auto insert = database.prepare("INSERT INTO demands (caps, requirements) VALUES (?, ?)");
  if (!insert) return std::unexpected(insert.error());
  auto select = database.prepare("SELECT id FROM demands WHERE caps = ? AND requirements = ?");
  if (!select) return std::unexpected(select.error());
  auto remove = database.prepare("DELETE FROM demands WHERE id = ?");
  if (!remove) return std::unexpected(remove.error());
  demands.insert_ = std::move(*insert);
  demands.delete_ = std::move(*remove);
  demands.select_ = std::move(*select);
  return demands;
}

std::optional<std::int64_t> DemandTable::id_of(const Demand& demand) {
  std::string caps;
  append_json(caps, demand.caps);
  std::string requirements;
  append_json(requirements, demand.requirements);
  auto both = caps + requirements;
  if (const auto known = ids_.find(both); known != ids_.end()) return known->second;

  select_.bind_text(1, caps);
  select_.bind_text(2, requirements);
  const int code = select_.step();
  std::optional<std::int64_t> id;
  if (code == SQLITE_ROW) id = select_.integer(0);
  select_.reset();
  if (code == SQLITE_DONE) {
    insert_.bind_text(1, caps);
    insert_.bind_text(2, requirements);
    if (insert_.run()) id = database_->last_row();
  }
  if (!id) return std::nullopt;
  if (ids_.size() >= kRememberedIds) ids_.clear();
  ids_.emplace(std::move(both), *id);
  return id;
}

std::expected<void, StoreError> DemandTable::load() {
  auto all = database_->prepare("SELECT id, caps, requirements FROM demands");
  if (!all) return std::unexpected(all.error());
  int code = all->step();
  for (; code == SQLITE_ROW; code = all->step()) {
    Demand demand;
    if (!parse_json(all->text(1), demand.caps) || !parse_json(all->text(2), demand.requirements)) {
      return std::unexpected(database_->corrupt(fmt::format("row {} of demands is wrong", all->integer(0))));
    }
    loaded_.emplace(all->integer(0), std::make_shared<const Demand>(std::move(demand)));
  }
  if (code != SQLITE_DONE) return std::unexpected(database_->failure("load demands"));
  return {};
}

SharedDemand DemandTable::find(std::int64_t id) const {
  const auto found = loaded_.find(id);
  return found == loaded_.end() ? nullptr : found->second;
}

std::expected<void, StoreError> DemandTable::unload() {
  auto loaded = std::exchange(loaded_, {});
  std::erase_if(loaded, [](const auto& entry) { return entry.second.use_count() > 1; });
  if (loaded.empty()) return {};
  ids_.clear();
  auto done = database_->execute("delete demands", "BEGIN IMMEDIATE");
  for (auto unused = loaded.begin(); done && unused != loaded.end(); ++unused) {
    delete_.bind(1, unused->first);
    if (!delete_.run()) done = std::unexpected(database_->failure("delete demands"));
  }
  if (done) return database_->execute("delete demands", "COMMIT");
  const auto rolled_back = database_->execute("delete demands", "ROLLBACK");
  static_cast<void>(rolled_back);
  return done;
}

}  // namespace boruta::store
