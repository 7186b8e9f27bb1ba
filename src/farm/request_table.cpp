#include "farm/request_table.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <type_traits>

#include "base/assert.hpp"

namespace boruta::farm {
namespace {

constexpr unsigned kGroupBits = 7;
constexpr std::uint8_t kMore = 0x80;

/// Writes numbers as in Protocol Buffers: seven bits to a byte, the lowest first; signed ones alternate in sign.
class Packer {
 public:
  explicit Packer(std::vector<std::uint8_t>& out) : out_(out) {}

  template <std::integral Number>
  void number(Number number) {
    if constexpr (std::is_signed_v<Number>) {
      constexpr unsigned kSignBit = std::numeric_limits<std::int64_t>::digits;
      const auto wide = static_cast<std::int64_t>(number);
      put((static_cast<std::uint64_t>(wide) << 1U) ^ static_cast<std::uint64_t>(wide >> kSignBit));
    } else {
      put(number);
    }
  }
  void text(const std::string& text) {
    put(text.size());
    out_.insert(out_.end(), text.begin(), text.end());
  }
  void uuid(const WorkerUuid& uuid) { out_.insert(out_.end(), uuid.bytes().begin(), uuid.bytes().end()); }
  template <class Value, class Body>
  void optional(const std::optional<Value>& value, Body body) {
    number(value.has_value());
    if (value) body(*value);
  }

 private:
  void put(std::uint64_t number) {
    for (; number >= kMore; number >>= kGroupBits) out_.push_back(static_cast<std::uint8_t>(number) | kMore);
    out_.push_back(static_cast<std::uint8_t>(number));
  }

  std::vector<std::uint8_t>& out_;
};

class Unpacker {
 public:
  explicit Unpacker(const std::uint8_t* in) : in_(in) {}

  template <std::integral Number>
  void number(Number& number) {
    const auto raw = get();
    if constexpr (std::is_signed_v<Number>) {
      number = static_cast<Number>(static_cast<std::int64_t>((raw >> 1U) ^ (~(raw & 1U) + 1)));
    } else {
      number = static_cast<Number>(raw);
    }
  }
  void text(std::string& text) {
    const auto size = get();
    text.assign(in_, in_ + size);
    in_ += size;
  }
  void uuid(WorkerUuid& uuid) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), in_, bytes.size());
    uuid = WorkerUuid::from_bytes(bytes);
    in_ += bytes.size();
  }
  template <class Value, class Body>
  void optional(std::optional<Value>& value, Body body) {
    bool given = false;
    number(given);
    if (given) body(value.emplace());
  }

 private:
  std::uint64_t get() {
    std::uint64_t number = 0;
    unsigned shift = 0;
    for (; (*in_ & kMore) != 0; ++in_, shift += kGroupBits) number |= std::uint64_t{*in_ & 0x7FU} << shift;
    number |= std::uint64_t{*in_++} << shift;
    return number;
  }

  const std::uint8_t* in_;
};

void exchange_duration(Packer& packer, Duration duration) {
  // Most are whole seconds.
  constexpr auto kSecond = Duration(std::chrono::seconds(1));
  const bool whole = duration % kSecond == Duration::zero();
  packer.number(whole);
  packer.number(whole ? duration / kSecond : duration.count());
}

void exchange_duration(Unpacker& unpacker, Duration& duration) {
  bool whole = false;
  Duration::rep count = 0;
  unpacker.number(whole);
  unpacker.number(count);
  duration = whole ? Duration(std::chrono::seconds(count)) : Duration(count);
}

/// Also instants that are far apart: the difference wraps round.
std::uint64_t ticks(Instant instant) { return static_cast<std::uint64_t>(instant.time_since_epoch().count()); }

void exchange_instant(Packer& packer, Instant instant, Instant base) {
  packer.number(std::bit_cast<std::int64_t>(ticks(instant) - ticks(base)));
}

void exchange_instant(Unpacker& unpacker, Instant& instant, Instant base) {
  std::int64_t difference = 0;
  unpacker.number(difference);
  instant = Instant(Duration(std::bit_cast<std::int64_t>(ticks(base) + std::bit_cast<std::uint64_t>(difference))));
}

template <class Archive, class AnyJob>
void exchange_job(Archive& archive, AnyJob& job, Instant created) {
  archive.uuid(job.worker);
  exchange_instant(archive, job.started, created);
  exchange_instant(archive, job.timeout, job.started);
  exchange_instant(archive, job.timeout_max, job.started);
  archive.optional(job.claim_by, [&](auto& claim_by) { exchange_instant(archive, claim_by, job.started); });
  archive.optional(job.paused_since, [&](auto& paused) { exchange_instant(archive, paused, job.started); });
  exchange_duration(archive, job.pause_used);
  archive.number(job.tunnel_port);
  archive.number(job.granted);
  archive.number(job.overdue);
  archive.number(job.own_keys);
}

/// All but what the columns and the chunk hold.
template <class Archive, class AnyRequest>
void exchange(Archive& archive, AnyRequest& request) {
  archive.number(request.was_servable);
  archive.number(request.valid_after.offset_minutes);
  archive.number(request.deadline.offset_minutes);
  exchange_instant(archive, request.created, request.valid_after.at);
  exchange_instant(archive, request.changed, request.created);
  exchange_duration(archive, request.lease);
  exchange_duration(archive, request.claim_within);
  archive.optional(request.job, [&](auto& job) { exchange_job(archive, job, request.created); });
  archive.text(request.reason);
  archive.number(request.last_event.value);
}

}  // namespace

void EndedRequests::add(const Request& request) {
  const auto number = chunk_of(request.id);
  if (chunks_.size() <= number) {
    chunks_.resize(number + 1);
    first_ends_.resize(number + 1, Instant::max());
  }
  auto& chunk = chunks_[number];
  if (!chunk) chunk = std::make_unique<Chunk>();
  pack(*chunk, request);
  if (chunk->count == kChunk) chunk->packed.shrink_to_fit();
  first_ends_[number] = std::min(first_ends_[number], request.changed);
}

void EndedRequests::pack(Chunk& chunk, const Request& request) {
  const auto at = (request.id.value - 1) % kChunk;
  BORUTA_ASSERT(chunk.begins.at(at) == 0);
  chunk.begins.at(at) = static_cast<std::uint32_t>(chunk.packed.size() + 1);
  chunk.demands.at(at) = request.demand;
  Packer packer(chunk.packed);
  exchange(packer, request);
  ++chunk.count;
}

std::vector<RequestId> EndedRequests::some_ended_by(Instant latest, const ListColumns& columns) const {
  const auto due = std::ranges::find_if(first_ends_, [latest](Instant first) { return first <= latest; });
  std::vector<RequestId> ids;
  if (due == first_ends_.end()) return ids;
  const auto before = static_cast<std::uint64_t>(due - first_ends_.begin()) * kChunk;
  for (std::uint64_t id = before + 1; id <= before + kChunk; ++id) {
    const auto request = find({id}, columns);
    if (request && request->changed <= latest) ids.push_back({id});
  }
  return ids;
}

void EndedRequests::remove(std::span<const RequestId> ids, const ListColumns& columns) {
  for (std::size_t next = 0; next < ids.size();) {
    const auto number = chunk_of(ids[next]);
    auto& chunk = *chunks_.at(number);
    for (; next < ids.size() && chunk_of(ids[next]) == number; ++next) {
      auto& begin = chunk.begins.at((ids[next].value - 1) % kChunk);
      BORUTA_ASSERT(begin != 0);
      begin = 0;
    }
    pack_anew(number, columns);
  }
}

void EndedRequests::pack_anew(std::size_t number, const ListColumns& columns) {
  auto left = std::make_unique<Chunk>();
  auto first_end = Instant::max();
  const auto before = static_cast<std::uint64_t>(number) * kChunk;
  for (std::uint64_t id = before + 1; id <= before + kChunk; ++id) {
    const auto request = find({id}, columns);
    if (!request) continue;
    pack(*left, *request);
    first_end = std::min(first_end, request->changed);
  }
  if (left->count == 0) left.reset();
  if (left) left->packed.shrink_to_fit();
  chunks_[number] = std::move(left);
  first_ends_[number] = first_end;
}

std::optional<Request> EndedRequests::find(RequestId id, const ListColumns& columns) const {
  const auto place = id.value - 1;
  if (id.value == 0 || place / kChunk >= chunks_.size()) return std::nullopt;
  const auto* chunk = chunks_[place / kChunk].get();
  if (chunk == nullptr || chunk->begins.at(place % kChunk) == 0) return std::nullopt;
  Request request{.id = id,
                  .owner = columns.owner(id),
                  .priority = {columns.priority(id)},
                  .state = columns.state(id),
                  .demand = chunk->demands.at(place % kChunk),
                  .valid_after = {.at = columns.valid_after(id)},
                  .deadline = {.at = columns.deadline(id)},
                  .job = std::nullopt,
                  .reason = {}};
  Unpacker unpacker(&chunk->packed[chunk->begins.at(place % kChunk) - 1]);
  exchange(unpacker, request);
  return request;
}

FoundRequest RequestTable::find(RequestId id) const {
  if (const auto* open = find_open(id)) return FoundRequest(open);
  auto ended = ended_.find(id, columns_);
  return ended ? FoundRequest(std::move(*ended)) : FoundRequest();
}

const Request* RequestTable::find_open(RequestId id) const {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

Request* RequestTable::find_open(RequestId id) { return const_cast<Request*>(std::as_const(*this).find_open(id)); }

void RequestTable::append(Request request) {
  BORUTA_ASSERT(request.id >= next_id());
  columns_.set(request);
  if (is_terminal(request.state)) {
    ended_.add(request);
  } else {
    open_.emplace(request.id, std::move(request));
  }
}

void RequestTable::update(const Request& request) {
  columns_.set(request);
  if (!is_terminal(request.state)) return;
  ended_.add(request);
  open_.erase(request.id);
}

void RequestTable::forget(const std::vector<RequestId>& ids) {
  std::vector<RequestId> known;
  std::ranges::copy_if(ids, std::back_inserter(known), [this](RequestId id) { return columns_.holds(id); });
  ended_.remove(known, columns_);
  for (const auto id : known) columns_.remove(id);
}

}  // namespace boruta::farm
