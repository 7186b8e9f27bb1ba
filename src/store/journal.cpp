#include "store/journal.hpp"

#include <iterator>
#include <utility>
#include <vector>

#include "base/assert.hpp"

namespace boruta::store {
namespace {

template <class Value>
void move_to_end(std::vector<Value>& values, std::vector<Value>&& later) {
  values.insert(values.end(), std::make_move_iterator(later.begin()), std::make_move_iterator(later.end()));
}

WorkerUuid key_of(WorkerUuid uuid) { return uuid; }
WorkerUuid key_of(const farm::Worker& worker) { return worker.uuid; }
RequestId key_of(RequestId id) { return id; }
RequestId key_of(const farm::Request& request) { return request.id; }
RequestId key_of(const farm::Creation& creation) { return creation.request; }
WorkerUuid key_of(const StoredKey& key) { return key.worker; }

/// Takes out of `rows` what `later` replaces or deletes.
template <class Row, class Later>
void drop_superseded(std::vector<Row>& rows, const std::vector<Later>& later) {
  for (const auto& newer : later) {
    std::erase_if(rows, [&newer](const Row& row) { return key_of(row) == key_of(newer); });
  }
}

}  // namespace

void merge(EventBatch& batch, EventBatch&& later) {
  if (batch.empty()) batch.first_seq = later.first_seq;
  BORUTA_ASSERT(batch.empty() || later.first_seq.value == batch.last_seq().value + 1);
  drop_superseded(batch.requests, later.deleted_requests);
  drop_superseded(batch.deleted_requests, later.requests);
  drop_superseded(batch.workers, later.deleted_workers);
  drop_superseded(batch.deleted_workers, later.workers);
  drop_superseded(batch.creations, later.deleted_creations);
  drop_superseded(batch.deleted_creations, later.creations);
  drop_superseded(batch.put_keys, later.deleted_keys);
  drop_superseded(batch.deleted_keys, later.put_keys);
  move_to_end(batch.events, std::move(later.events));
  move_to_end(batch.users, std::move(later.users));
  move_to_end(batch.groups, std::move(later.groups));
  move_to_end(batch.tokens, std::move(later.tokens));
  move_to_end(batch.requests, std::move(later.requests));
  move_to_end(batch.deleted_requests, std::move(later.deleted_requests));
  if (later.forgotten) batch.forgotten = later.forgotten;
  move_to_end(batch.workers, std::move(later.workers));
  move_to_end(batch.deleted_workers, std::move(later.deleted_workers));
  move_to_end(batch.creations, std::move(later.creations));
  move_to_end(batch.deleted_creations, std::move(later.deleted_creations));
  move_to_end(batch.user_keys, std::move(later.user_keys));
  move_to_end(batch.put_keys, std::move(later.put_keys));
  move_to_end(batch.deleted_keys, std::move(later.deleted_keys));
}

}  // namespace boruta::store
