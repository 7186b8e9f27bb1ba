#include "store/capability_sets.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/json_fields.hpp"

namespace boruta::store {
namespace {

/// More would buy nothing: farms have dozens of kinds of requests. Those that don't fit are looked up.
constexpr std::size_t kRememberedIds = 4'096;

}  // namespace

std::expected<CapabilitySets, StoreError> CapabilitySets::prepare(Database& database) {
  CapabilitySets sets(database);
  auto insert = database.prepare("INSERT INTO capability_sets (caps) VALUES (?)");
  if (!insert) return std::unexpected(insert.error());
  auto select = database.prepare("SELECT id FROM capability_sets WHERE caps = ?");
  if (!select) return std::unexpected(select.error());
  sets.insert_ = std::move(*insert);
  sets.select_ = std::move(*select);
  return sets;
}

std::optional<std::int64_t> CapabilitySets::id_of(const Capabilities& caps) {
  std::string json;
  append_json(json, caps);
  if (const auto known = ids_.find(json); known != ids_.end()) return known->second;

  select_.bind_text(1, json);
  const int code = select_.step();
  std::optional<std::int64_t> id;
  if (code == SQLITE_ROW) id = select_.integer(0);
  select_.reset();
  if (code == SQLITE_DONE) {
    insert_.bind_text(1, json);
    if (insert_.run()) id = database_->last_row();
  }
  if (!id) return std::nullopt;
  if (ids_.size() >= kRememberedIds) ids_.clear();
  ids_.emplace(std::move(json), *id);
  return id;
}

std::expected<void, StoreError> CapabilitySets::load() {
  auto all = database_->prepare("SELECT id, caps FROM capability_sets");
  if (!all) return std::unexpected(all.error());
  int code = all->step();
  for (; code == SQLITE_ROW; code = all->step()) {
    Capabilities caps;
    if (!parse_json(all->text(1), caps)) {
      return std::unexpected(database_->corrupt(fmt::format("row {} of capability_sets is wrong", all->integer(0))));
    }
    loaded_.emplace(all->integer(0), std::make_shared<const Capabilities>(std::move(caps)));
  }
  if (code != SQLITE_DONE) return std::unexpected(database_->failure("load capability_sets"));
  return {};
}

std::shared_ptr<const Capabilities> CapabilitySets::find(std::int64_t id) const {
  const auto found = loaded_.find(id);
  return found == loaded_.end() ? nullptr : found->second;
}

}  // namespace boruta::store
