#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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

 private:
  static constexpr std::size_t kChunk = 128;

  struct Chunk {
    std::vector<std::uint8_t> packed;
    /// Where each begins in `packed`, counted from 1; 0: it has not ended.
    std::array<std::uint32_t, kChunk> begins{};
    std::array<SharedDemand, kChunk> demands;
    std::size_t count = 0;
  };

  std::vector<std::unique_ptr<Chunk>> chunks_;
};

/// All requests ever filed, by id: open ones as they are, those that ended packed.
class RequestTable {
 public:
  [[nodiscard]] FoundRequest find(RequestId id) const;
  /// WAITING and IN PROGRESS ones only; else null. Stays where it is until it ends.
  [[nodiscard]] const Request* find_open(RequestId id) const;
  [[nodiscard]] Request* find_open(RequestId id);
  /// REQUIRES: request.id is the next.
  void append(Request request);
  /// The open request was changed. If it has ended by that, it is packed, and `request` dies.
  void update(const Request& request);

  [[nodiscard]] std::size_t size() const { return columns_.size(); }
  [[nodiscard]] RequestId next_id() const { return RequestId{size() + 1}; }
  [[nodiscard]] const ListColumns& columns() const { return columns_; }

 private:
  std::unordered_map<RequestId, Request> open_;
  EndedRequests ended_;
  ListColumns columns_;
};

}  // namespace boruta::farm
