#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/assert.hpp"
#include "match/engine.hpp"
#include "store/sqlite_journal.hpp"

/// Makes the data directory of a farm that was in use for years, by the core and the journal of the server, without its
/// HTTP: `scripts/scale` starts a server on it.
namespace {

using namespace boruta;

constexpr std::uint64_t kRequestsPerTransaction = 1'000;
/// So many different demands.
constexpr std::uint64_t kDemands = 500;

class Filler {
 public:
  explicit Filler(store::Journal& journal) : journal_(journal), engine_({}, {}, now_) {
    execute({}, farm::CreateUser{.name = std::string(farm::kAnonymous), .role = farm::Role::kAdmin});
    farm::Command start{.actor = {}, .body = farm::StartServer{}};
    take(engine_.execute(start, now_));
  }

  /// Files one, a second after the last, and closes it unless it shall wait.
  void file(bool wait) {
    now_.wall += std::chrono::seconds(1);
    now_.lease += std::chrono::seconds(1);
    const auto number = filed_++;
    farm::CreateRequest create{.caps = {{"board", fmt::format("board-{}", number % kDemands)}},
                               .priority = static_cast<std::int64_t>(1 + number % 16),
                               .deadline = WallTime{.at = now_.wall + std::chrono::years(10), .offset_minutes = 0}};
    execute(kAnyone, std::move(create));
    if (!wait) execute(kAnyone, farm::CloseRequest{.id = RequestId{filed_}});
    if (filed_ % kRequestsPerTransaction == 0) commit();
  }

  /// What came before may go, as far as the server that starts on it does not keep it.
  void write_checkpoint() {
    commit();
    constexpr std::size_t kRowsAtOnce = 10'000;
    while (must(journal_.tidy({.now = now_.wall, .checkpoint_since = now_.wall}, kRowsAtOnce)).more) continue;
  }

  void commit() {
    if (batch_.empty()) return;
    must(journal_.append(batch_));
    batch_ = {};
  }

 private:
  inline static const farm::Actor kAnyone{
      .kind = farm::Actor::Kind::kAdmin, .user = UserId{1}, .name = std::string(farm::kAnonymous)};

  template <class Value>
  static Value must(std::expected<Value, store::StoreError> result) {
    if (!result) {
      fmt::print(stderr, "store_fill: {}\n", result.error().message);
      std::exit(1);
    }
    if constexpr (!std::is_void_v<Value>) return std::move(*result);
  }

  void execute(const farm::Actor& actor, farm::CommandBody body) {
    const farm::Command command{.actor = actor, .body = std::move(body)};
    take(engine_.execute(command, now_));
  }

  void take(match::Step step) {
    BORUTA_ASSERT(step.outcome.has_value());
    const auto& farm = engine_.farm();
    store::EventBatch later{.first_seq = step.events.front().seq, .events = std::move(step.events)};
    for (const auto id : step.touched.users) later.users.push_back(*farm.find_user(id));
    for (const auto id : step.touched.requests) {
      const auto request = farm.find_request(id);
      later.requests.push_back(*request);
    }
    store::merge(batch_, std::move(later));
  }

  store::Journal& journal_;
  Now now_{.wall = Instant(std::chrono::seconds(1'700'000'000)), .lease = Instant(std::chrono::seconds(1'700'000'000))};
  match::Engine engine_;
  store::EventBatch batch_;
  std::uint64_t filed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes a data directory with many requests, the last of which wait.");
  std::string directory;
  std::uint64_t requests = 1'000'000;
  std::uint64_t waiting = 10'000;
  app.add_option("DIR", directory, "which is made")->required();
  app.add_option("--requests", requests)->capture_default_str();
  app.add_option("--waiting", waiting)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  auto journal = store::make_sqlite_journal(directory);
  if (!journal) {
    fmt::print(stderr, "store_fill: {}\n", journal.error().message);
    return 1;
  }
  Filler filler(**journal);
  for (std::uint64_t number = 0; number < requests; ++number) filler.file(number + waiting >= requests);
  filler.write_checkpoint();
  return 0;
}
