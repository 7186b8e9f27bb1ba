#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <ostream>
#include <set>

#include "farm/invariants.hpp"
#include "match/engine.hpp"
#include "match/explain.hpp"
#include "property/naive_model.hpp"
#include "property/random_commands.hpp"
#include "property/replay.hpp"

namespace rc {

template <>
struct Arbitrary<boruta::property::RandomStep> {
  static Gen<boruta::property::RandomStep> arbitrary() {
    using Step = boruta::property::RandomStep;
    return gen::build<Step>(gen::set(&Step::what, gen::inRange<std::uint8_t>(0, 255)),
                            gen::set(&Step::who, gen::inRange<std::uint8_t>(0, 3)),
                            gen::set(&Step::first, gen::inRange<std::uint8_t>(0, 40)),
                            gen::set(&Step::second, gen::inRange<std::uint8_t>(0, 40)),
                            gen::set(&Step::seconds, gen::weightedElement<std::uint16_t>(
                                                         {{40, 0}, {4, 1}, {2, 5}, {1, 31}, {1, 61}, {1, 400}})));
  }
};

}  // namespace rc

namespace boruta::property {

static void showValue(const RandomStep& step, std::ostream& out) { out << describe(step); }

namespace {

using namespace std::chrono_literals;

farm::Policy small_policy(farm::QueueOrder order) {
  // Few ports, so that running out of them is met as well.
  return farm::Policy{.lease = 2min,
                      .lease_max = 10min,
                      .claim_within = 1min,
                      .invalid_after = 1min,
                      .order = order,
                      .half_life = 5min,
                      .overdue_after = 3min,
                      .keep_requests = 5min,
                      .first_tunnel_port = 30'000,
                      .last_tunnel_port = 30'002};
}

/// How often each kind of event came up, so that the test can tell that it has tested something.
std::map<std::string, int>& seen_kinds() {
  static std::map<std::string, int> kinds;
  return kinds;
}

/// Runs the engine, and beside it a farm that is fed the events one by one: the journal's reader.
class Life {
 public:
  explicit Life(const farm::Policy& policy) : policy_(policy), engine_(policy, farm::Rows{}, now_), replayed_(policy) {
    for (const auto& command : first_commands()) follow(engine_.execute(command, now_));
  }

  void live(const RandomStep& step) {
    now_.wall += std::chrono::seconds(step.seconds);
    now_.lease += std::chrono::seconds(step.seconds);
    // What was due on the way is due before the command is made for the farm as it is.
    follow(engine_.tick(now_));
    follow(engine_.execute(command_of(step, engine_.farm(), now_), now_));
    if (step.first % 16 == 0) {
      checkpoints_.push_back(checkpoint_of(engine_.farm().rows()));
      ++seen_kinds()["checkpoint begun at"];
    }
  }

  /// Whoever begins at a checkpoint, with what is kept of requests that had ended by then, comes to the same farm.
  void check_checkpoints() {
    const auto now = engine_.farm().rows();
    for (const auto& checkpoint : checkpoints_) {
      farm::Farm farm(policy_, rows_behind(checkpoint, now));
      const auto later = std::ranges::upper_bound(events_, checkpoint.last_event, {}, &farm::Event::seq);
      for (const auto& event : std::ranges::subrange(later, events_.end())) {
        farm::Touched touched;
        farm::apply_event(farm, event, touched);
      }
      RC_ASSERT(farm.rows() == now);
    }
  }

 private:
  void follow(const match::Step& step) {
    for (const auto& event : step.events) {
      check_choice(event);
      if (const auto* forgotten = std::get_if<farm::RequestsForgotten>(&event.body)) check_forgotten(*forgotten);
      farm::Touched touched;
      farm::apply_event(replayed_, event, touched);
      events_.push_back(event);
    }
    check_state();
  }

  void check_choice(const farm::Event& event) {
    ++seen_kinds()[std::string(farm::kind_of(event.body))];
    const auto* started = std::get_if<farm::JobStarted>(&event.body);
    if (started == nullptr) return;
    const auto expected = next_match(replayed_, now_);
    if (started->overdue) ++seen_kinds()["overdue job started"];
    RC_ASSERT(expected.has_value());
    RC_ASSERT(expected->request.value == started->id.value);
    RC_ASSERT(expected->worker.to_string() == started->worker.to_string());
  }

  /// They had ended for long enough.
  void check_forgotten(const farm::RequestsForgotten& event) {
    for (const auto& range : event.ranges) {
      for (auto id = range.first; id <= range.last; ++id.value) {
        const auto request = replayed_.find_request(id);
        RC_ASSERT(request != nullptr);
        RC_ASSERT(farm::is_terminal(request->state));
        RC_ASSERT(request->changed + policy_.keep_requests <= now_.wall);
      }
    }
  }

  void check_state() {
    const auto violations = farm::check_invariants(engine_.farm());
    RC_ASSERT(violations == std::vector<std::string>{});
    RC_ASSERT(replayed_.rows() == engine_.farm().rows());
    RC_ASSERT(farm::Farm(policy_, engine_.farm().rows()).rows() == engine_.farm().rows());
    // No ready request waits while a worker that could serve it idles, unless there is no port left for its tunnel.
    if (engine_.farm().free_tunnel_port()) RC_ASSERT(!next_match(engine_.farm(), now_).has_value());
    check_nothing_due();
    check_standing();
  }

  void check_nothing_due() {
    const auto next = engine_.next_deadline();
    // RC_ASSERT looks at both sides of an "or".
    const bool wall_is_due = next.wall && *next.wall <= now_.wall;
    const bool lease_is_due = next.lease && *next.lease <= now_.lease;
    RC_ASSERT(!wall_is_due);
    RC_ASSERT(!lease_is_due);
  }

  void check_standing() {
    for (const auto id : engine_.farm().open_requests()) {
      const auto* request = engine_.farm().find_open_request(id);
      if (request->state != farm::RequestState::kWaiting) continue;
      const auto found = engine_.matcher().standing(engine_.farm(), id, now_);
      const auto counted = standing(engine_.farm(), *request, now_);
      RC_ASSERT(found.fits == counted.fits);
      RC_ASSERT(found.fits_idle == counted.fits_idle);
      RC_ASSERT(found.competing == counted.competing);
      RC_ASSERT(found.position == counted.position);
      check_explanation(*request, found);
    }
  }

  /// Every worker once, for a reason that is true.
  void check_explanation(const farm::Request& request, const match::Standing& standing) {
    const auto& farm = engine_.farm();
    const auto explanation = match::explain(farm, engine_.matcher(), match::ask_of(request), now_);
    const auto needs = match::needs_of(farm, request.demand, request.owner);
    std::set<WorkerUuid> told;
    std::size_t fitting = 0;
    for (const auto& verdict : explanation.workers) {
      RC_ASSERT(told.insert(verdict.worker).second);
      const auto& worker = *farm.find_worker(verdict.worker);
      const bool fits = verdict.fitness <= match::Fitness::kOutOfService;
      if (fits) ++fitting;
      RC_ASSERT(fits == match::fits(needs, worker));
      const bool free = worker.state == farm::WorkerState::kIdle && worker.connected;
      RC_ASSERT((verdict.fitness == match::Fitness::kFree) == (fits && free));
      if (verdict.fitness == match::Fitness::kBusy) RC_ASSERT(verdict.job == worker.job);
      RC_ASSERT(verdict.misses.empty() == (verdict.fitness <= match::Fitness::kReserved));
      ++seen_kinds()[std::string(match::to_string(verdict.fitness))];
    }
    RC_ASSERT(told.size() == farm.workers().size());
    RC_ASSERT(fitting == standing.fits);
    RC_ASSERT(explanation.standing.position == standing.position);
    RC_ASSERT(explanation.standing.competing == standing.competing);
    for (const auto& ahead : explanation.ahead) {
      RC_ASSERT(comes_before(farm, *farm.find_open_request(ahead.id), request, now_));
      RC_ASSERT(!ahead.why.empty());
    }
    RC_ASSERT(explanation.ahead.size() == std::min(standing.position - 1, match::kMostShownAhead));
    RC_ASSERT(explanation.estimate.not_later_than.has_value() == explanation.estimate.unknown.empty());
  }

  farm::Policy policy_;
  Now now_{.wall = Instant(1'000'000s), .lease = Instant(1'000'000s)};
  match::Engine engine_;
  farm::Farm replayed_;
  farm::Events events_;
  std::vector<farm::Rows> checkpoints_;
};

/// RapidCheck reads it once, before its first check; what the caller has set stays.
const bool kParametersSet = ::setenv("RC_PARAMS", "max_success=400 max_size=400", 0) == 0;

/// Lives in farms of that order, and checks that everything that may happen did.
void live_through(farm::QueueOrder order) {
  ASSERT_TRUE(kParametersSet);
  seen_kinds().clear();
  const bool holds = rc::check([order](const std::vector<RandomStep>& steps) {
    Life life(small_policy(order));
    for (const auto& step : steps) life.live(step);
    life.check_checkpoints();
  });
  EXPECT_TRUE(holds);
  // Users and tokens have commands that the random life leaves out, and no checkpoint is an event any more.
  const std::set<std::string> left_out{"user deleted", "token bound", "token revoked", "checkpoint"};
  for (const auto& kind : farm::kind_names()) {
    if (left_out.contains(std::string(kind))) continue;
    EXPECT_GT(seen_kinds()[std::string(kind)], 0) << kind;
  }
  for (const auto* told : {"overdue job started", "preparing", "busy", "out of service", "reserved", "almost fits",
                           "does not fit", "checkpoint begun at"}) {
    EXPECT_GT(seen_kinds()[told], 0) << told;
  }
}

TEST(Engine, ChoosesAsTheNaiveModelDoesAndKeepsItsInvariants) { live_through(farm::QueueOrder::kFifo); }

TEST(Engine, SharesFairlyAsTheNaiveModelDoesAndKeepsItsInvariants) { live_through(farm::QueueOrder::kFair); }

}  // namespace
}  // namespace boruta::property
