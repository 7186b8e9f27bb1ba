#include "store/demands.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "store/json_fields.hpp"

namespace boruta::store {
namespace {

/// More would buy nothing: farms have dozens of kinds of requests. Those that don't fit are looked up.
constexpr std::size_t kRemembered = 4'096;

/// Of a row of id, caps and requirements; null: they are wrong.
SharedDemand demand_of(const Statement& row) {
  Demand demand;
  if (!parse_json(row.text(1), demand.caps) || !parse_json(row.text(2), demand.requirements)) return nullptr;
  return std::make_shared<const Demand>(std::move(demand));
}

}  // namespace

std::expected<DemandTable, StoreError> DemandTable::prepare(Database& database) {
  DemandTable demands(database);
  const std::array<std::pair<Statement*, std::string_view>, 4> wanted{{
      {&demands.insert_, "INSERT INTO demands (caps, requirements) VALUES (?, ?)"},
      {&demands.select_, "SELECT id FROM demands WHERE caps = ? AND requirements = ?"},
      {&demands.select_by_id_, "SELECT id, caps, requirements FROM demands WHERE id = ?"},
      {&demands.delete_, "DELETE FROM demands WHERE id = ?"},
  }};
  for (const auto& [statement, sql] : wanted) {
    auto prepared = database.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
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
  if (ids_.size() >= kRemembered) ids_.clear();
  ids_.emplace(std::move(both), *id);
  return id;
}

std::expected<void, StoreError> DemandTable::load() {
  auto all = database_->prepare("SELECT id, caps, requirements FROM demands");
  if (!all) return std::unexpected(all.error());
  int code = all->step();
  for (; code == SQLITE_ROW; code = all->step()) {
    auto demand = demand_of(*all);
    if (demand == nullptr) {
      return std::unexpected(database_->corrupt(fmt::format("row {} of demands is wrong", all->integer(0))));
    }
    loaded_.emplace(all->integer(0), std::move(demand));
  }
  if (code != SQLITE_DONE) return std::unexpected(database_->failure("load demands"));
  return {};
}

SharedDemand DemandTable::find(std::int64_t id) {
  if (const auto found = loaded_.find(id); found != loaded_.end()) return found->second;
  select_by_id_.bind(1, id);
  auto demand = select_by_id_.step() == SQLITE_ROW ? demand_of(select_by_id_) : nullptr;
  select_by_id_.reset();
  if (demand == nullptr) return nullptr;
  if (loaded_.size() >= kRemembered) loaded_.clear();
  return loaded_.emplace(id, std::move(demand)).first->second;
}

std::expected<void, StoreError> DemandTable::unload() {
  auto loaded = std::exchange(loaded_, {});
  std::erase_if(loaded, [](const auto& entry) { return entry.second.use_count() > 1; });
  if (loaded.empty()) return {};
  ids_.clear();
  return database_->transact("delete demands", [&]() -> std::expected<void, StoreError> {
    for (const auto& [id, demand] : loaded) {
      delete_.bind(1, id);
      if (!delete_.run()) return std::unexpected(database_->failure("delete demands"));
    }
    return {};
  });
}

}  // namespace boruta::store
