#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/arbitrary_records.hpp"
#include "store/journal.hpp"
#include "store/memory_journal.hpp"
#include "store/scratch_directory.hpp"
#include "store/sqlite_journal.hpp"

/// What the contract of journals is tested with: every kind of journal, and batches for them.
namespace boruta::store {

/// A place that keeps a journal, and gives it back after a restart.
class Place {
 public:
  virtual ~Place() = default;
  virtual Journal& journal() = 0;
  virtual void restart() = 0;
};

class MemoryPlace final : public Place {
 public:
  Journal& journal() override { return journal_; }
  void restart() override {}

 private:
  MemoryJournal journal_;
};

class SqlitePlace final : public Place {
 public:
  SqlitePlace() { restart(); }
  Journal& journal() override { return *journal_; }
  void restart() override {
    journal_.reset();
    journal_ = make_sqlite_journal(directory_.path()).value();
  }

 private:
  ScratchDirectory directory_;
  std::unique_ptr<Journal> journal_;
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Place>()> make;
};

inline const auto kAllKinds = testing::Values(Kind{"Memory", [] { return std::make_unique<MemoryPlace>(); }},
                                              Kind{"Sqlite", [] { return std::make_unique<SqlitePlace>(); }});

inline std::string name_of_kind(const testing::TestParamInfo<Kind>& kind) { return kind.param.name; }

inline WorkerUuid worker_number(int number) {
  auto text = std::string("00000000-0000-0000-0000-000000000000");
  text.replace(text.size() - 1, 1, std::to_string(number));
  return WorkerUuid::parse(text).value();
}

/// A batch of one event a body, which follows on what `journal` holds.
inline EventBatch batch_of(const Journal& journal, std::vector<farm::EventBody> bodies) {
  EventBatch batch;
  auto seq = journal.last_seq();
  batch.first_seq = EventSeq{seq.value + 1};
  for (auto& body : bodies) {
    ++seq.value;
    batch.events.push_back({.seq = seq,
                            .at = Instant(std::chrono::seconds(1) * static_cast<int>(seq.value)),
                            .actor = {},
                            .body = std::move(body)});
  }
  return batch;
}

inline EventBatch batch_about(const Journal& journal, WorkerUuid worker) {
  return batch_of(journal, {farm::WorkerNoted{.uuid = worker, .text = "noted"}});
}

inline farm::Worker worker_with(WorkerUuid uuid, std::string reason) {
  farm::Worker worker;
  worker.uuid = uuid;
  worker.reason = std::move(reason);
  return worker;
}

inline farm::Request request_with(std::uint64_t id, std::string reason) {
  farm::Request request;
  request.id = RequestId{id};
  request.demand = std::make_shared<const Demand>(
      Demand{.caps = {{"arch", "arm64"}}, .requirements = {parse_requirement("ram>=4GiB").value()}});
  request.reason = std::move(reason);
  return request;
}

inline std::vector<std::uint64_t> numbers(const farm::Events& events) {
  std::vector<std::uint64_t> numbers;
  numbers.reserve(events.size());
  for (const auto& event : events) numbers.push_back(event.seq.value);
  return numbers;
}

/// Rows with arbitrary contents, under keys 1, 2, … in order.
template <class Row>
std::vector<Row> arbitrary_rows() {
  std::vector<Row> rows(*rc::gen::inRange<std::size_t>(0, 6));
  std::uint64_t number = 0;
  for (auto& row : rows) {
    arbitrary::fill(row);
    if constexpr (requires { row.uuid; }) {
      row.uuid = worker_number(static_cast<int>(++number));
    } else {
      row.id.value = ++number;
    }
  }
  return rows;
}

}  // namespace boruta::store
