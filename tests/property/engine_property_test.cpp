#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <ostream>
#include <set>

#include "farm/invariants.hpp"
#include "match/engine.hpp"
#include "property/naive_model.hpp"
#include "property/random_commands.hpp"

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

farm::Policy small_policy() {
  // Few ports, so that running out of them is met as well.
  return farm::Policy{.lease = 2min,
                      .lease_max = 10min,
                      .claim_within = 1min,
                      .invalid_after = 1min,
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
  Life() : engine_(small_policy(), farm::Rows{}, now_), replayed_(small_policy()) {
    for (const auto& command : first_commands()) follow(engine_.execute(command, now_));
  }

  void live(const RandomStep& step) {
    now_.wall += std::chrono::seconds(step.seconds);
    now_.lease += std::chrono::seconds(step.seconds);
    // What was due on the way is due before the command is made for the farm as it is.
    follow(engine_.tick(now_));
    follow(engine_.execute(command_of(step, engine_.farm(), now_), now_));
  }

 private:
  void follow(const match::Step& step) {
    for (const auto& event : step.events) {
      check_choice(event);
      farm::Touched touched;
      farm::apply_event(replayed_, event, touched);
    }
    check_state();
  }

  void check_choice(const farm::Event& event) {
    ++seen_kinds()[std::string(farm::kind_of(event.body))];
    const auto* started = std::get_if<farm::JobStarted>(&event.body);
    if (started == nullptr) return;
    const auto expected = next_match(replayed_, now_);
    RC_ASSERT(expected.has_value());
    RC_ASSERT(expected->request.value == started->id.value);
    RC_ASSERT(expected->worker.to_string() == started->worker.to_string());
  }

  void check_state() {
    const auto violations = farm::check_invariants(engine_.farm());
    RC_ASSERT(violations == std::vector<std::string>{});
    RC_ASSERT(replayed_.rows() == engine_.farm().rows());
    RC_ASSERT(farm::Farm(small_policy(), engine_.farm().rows()).rows() == engine_.farm().rows());
    // No ready request waits while a worker that could serve it idles, unless there is no port left for its tunnel.
    if (engine_.farm().free_tunnel_port()) RC_ASSERT(!next_match(engine_.farm(), now_).has_value());
    check_nothing_due();
    check_standing();
  }

  void check_nothing_due() {
    const auto next = engine_.next_deadline();
    RC_ASSERT(!next.wall || *next.wall > now_.wall);
    RC_ASSERT(!next.lease || *next.lease > now_.lease);
  }

  void check_standing() {
    for (const auto id : engine_.farm().open_requests()) {
      const auto* request = engine_.farm().find_request(id);
      if (request->state != farm::RequestState::kWaiting) continue;
      const auto standing = engine_.matcher().standing(engine_.farm(), id);
      const auto [fits, free] = engine_.matcher().count_fitting(engine_.farm(), *request->caps, request->owner);
      RC_ASSERT(standing.fits == fits);
      RC_ASSERT(standing.fits_idle == free);
      RC_ASSERT(standing.position >= 1U);
      RC_ASSERT(standing.position <= standing.competing);
    }
  }

  Now now_{.wall = Instant(1'000'000s), .lease = Instant(1'000'000s)};
  match::Engine engine_;
  farm::Farm replayed_;
};

/// RapidCheck reads it once, before its first check; what the caller has set stays.
const bool kParametersSet = ::setenv("RC_PARAMS", "max_success=400 max_size=400", 0) == 0;

TEST(Engine, ChoosesAsTheNaiveModelDoesAndKeepsItsInvariants) {
  ASSERT_TRUE(kParametersSet);
  const bool holds = rc::check([](const std::vector<RandomStep>& steps) {
    Life life;
    for (const auto& step : steps) life.live(step);
  });
  EXPECT_TRUE(holds);
  // Users and tokens have commands that the random life leaves out.
  const std::set<std::string> left_out{"user deleted", "token created", "token bound", "token revoked"};
  for (const auto& kind : farm::kind_names()) {
    if (left_out.contains(std::string(kind))) continue;
    EXPECT_GT(seen_kinds()[std::string(kind)], 0) << kind;
  }
}

}  // namespace
}  // namespace boruta::property
