#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "farm/list_columns.hpp"
#include "farm/types.hpp"

namespace boruta::farm {

/// A request that was looked up, used like a pointer; null when there is none. An open one stands in the table, an
/// ended one was unpacked for who looks. Valid until the table changes.
class FoundRequest {
 public:
  FoundRequest() = default;
  explicit FoundRequest(const Request* open) : request_(open) {}
  explicit FoundRequest(Request ended)
      : unpacked_(std::make_unique<const Request>(std::move(ended))), request_(unpacked_.get()) {}

  [[nodiscard]] const Request& operator*() const& { return *request_; }
  [[nodiscard]] const Request* operator->() const& { return request_; }
  // What it shows may die with it.
  const Request& operator*() const&& = delete;
  const Request* operator->() const&& = delete;

  friend bool operator==(const FoundRequest& found, std::nullptr_t) { return found.request_ == nullptr; }

 private:
  std::unique_ptr<const Request> unpacked_;
  const Request* request_ = nullptr;
};

/// Requests that ended, packed into some dozens of bytes each. What stands in the columns is not kept twice.
class EndedRequests {
 public:
  void add(const Request& request);
  /// Nothing if it has not ended. REQUIRES: `columns` hold it.
  [[nodiscard]] std::optional<Request> find(RequestId id, const ListColumns& columns) const;
  /// Those that ended at `latest` or earlier, in order, or a chunk's worth of them if there are more.
  [[nodiscard]] std::vector<RequestId> some_ended_by(Instant latest, const ListColumns& columns) const;
  /// Leaves nothing of them in memory. REQUIRES: they are in order, and `columns` still hold what is here.
  void remove(std::span<const RequestId> ids, const ListColumns& columns);

 private:
  static constexpr std::size_t kChunk = 128;

  struct Chunk {
    std::vector<std::uint8_t> packed;
    /// Where each begins in `packed`, counted from 1; 0: it has not ended.
    std::array<std::uint32_t, kChunk> begins{};
    std::array<SharedDemand, kChunk> demands;
    std::size_t count = 0;
  };

  static std::size_t chunk_of(RequestId id) { return static_cast<std::size_t>((id.value - 1) / kChunk); }
  static void pack(Chunk& chunk, const Request& request);
  /// Packs anew what is left of the chunk, which is none any more if that is nothing.
  void pack_anew(std::size_t number, const ListColumns& columns);

  std::vector<std::unique_ptr<Chunk>> chunks_;
  /// Of each chunk, when the first in it ended.
  std::vector<Instant> first_ends_;
};

/// All requests that are known, by id: open ones as they are, those that ended packed.
class RequestTable {
 public:
  [[nodiscard]] FoundRequest find(RequestId id) const;
  /// WAITING and IN PROGRESS ones only; else null. Stays where it is until it ends.
  [[nodiscard]] const Request* find_open(RequestId id) const;
  [[nodiscard]] Request* find_open(RequestId id);
  /// REQUIRES: no newer one was there. Ids in between are those of requests that were forgotten.
  void append(Request request);
  /// Ids up to `last` were given.
  void skip_to(RequestId last) { columns_.skip_to(last); }
  /// The open request was changed. If it has ended by that, it is packed, and `request` dies.
  void update(const Request& request);

  /// Those that ended at `latest` or earlier, in order: all, or some of them if they are many.
  [[nodiscard]] std::vector<RequestId> some_ended_by(Instant latest) const {
    return ended_.some_ended_by(latest, columns_);
  }
  /// What is known of them goes. REQUIRES: they are in order, and those that are there have ended.
  void forget(const std::vector<RequestId>& ids);

  [[nodiscard]] std::size_t size() const { return columns_.size(); }
  /// The newest that was ever filed; 0: none was.
  [[nodiscard]] RequestId last_id() const { return columns_.last_id(); }
  [[nodiscard]] RequestId next_id() const { return RequestId{last_id().value + 1}; }
  [[nodiscard]] const ListColumns& columns() const { return columns_; }

 private:
  std::unordered_map<RequestId, Request> open_;
  EndedRequests ended_;
  ListColumns columns_;
};

}  // namespace boruta::farm
