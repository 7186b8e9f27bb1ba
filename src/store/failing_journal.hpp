#pragma once

#include <functional>
#include <utility>

#include "store/journal.hpp"

namespace boruta::store {

/// What becomes of one append.
enum class AppendFault : std::uint8_t {
  kNone,
  kBeforeCommit,  ///< nothing is written, and it answers kBusy
  kAfterCommit,   ///< all is written, and it answers kUnknown
};

/// Test support: another journal whose appends fail when `choose` says so. `choose` is asked at every append.
class FailingJournal final : public Journal {
 public:
  using Choose = std::function<AppendFault(const EventBatch& batch)>;

  /// `journal` must outlive this.
  FailingJournal(Journal& journal, Choose choose) : journal_(&journal), choose_(std::move(choose)) {}

  std::expected<Loaded, StoreError> load() override { return journal_->load(); }

  std::expected<void, StoreError> append(const EventBatch& batch) override {
    const auto fault = choose_(batch);
    if (fault == AppendFault::kBeforeCommit) {
      return std::unexpected(StoreError{.code = StoreErrorCode::kBusy, .message = "made to fail before the commit"});
    }
    auto appended = journal_->append(batch);
    if (appended && fault == AppendFault::kAfterCommit) {
      return std::unexpected(StoreError{.code = StoreErrorCode::kUnknown, .message = "made to fail after the commit"});
    }
    return appended;
  }

  std::expected<farm::Events, StoreError> read(const EventQuery& query) override { return journal_->read(query); }
  std::expected<std::optional<farm::Rows>, StoreError> read_checkpoint() override {
    return journal_->read_checkpoint();
  }
  std::expected<Tidied, StoreError> tidy(const TidyOrder& order, std::size_t most) override {
    return journal_->tidy(order, most);
  }
  std::expected<void, StoreError> scrub() override { return journal_->scrub(); }
  std::expected<std::unique_ptr<Backup>, StoreError> begin_backup(const std::filesystem::path& file) override {
    return journal_->begin_backup(file);
  }
  [[nodiscard]] EventSeq last_seq() const override { return journal_->last_seq(); }

 private:
  Journal* journal_;
  Choose choose_;
};

}  // namespace boruta::store
