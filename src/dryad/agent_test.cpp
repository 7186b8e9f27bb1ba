#include "dryad/agent.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "dryad/exit_codes.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToItsLimitWithJitter) {
  Backoff backoff({.least = 200ms, .most = 1s}, 42);
  for (const Duration full : {200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    const auto pause = backoff.next();
    EXPECT_GE(pause, full / 2);
    EXPECT_LE(pause, full);
  }
  backoff.reset();
  EXPECT_LE(backoff.next(), 200ms);
}

/// A server in memory: what the agent says is noted, and `script` is asked what happens to each stream.
class FakeConnector final : public Connector {
 public:
  class FakeStream final : public Stream {
   public:
    FakeStream(FakeConnector& owner, StreamHandler handler) : owner_(owner), handler_(std::move(handler)) {}

    void send(const agent::FromAgent& message) override { owner_.heard.push_back(message); }
    void close() override { end({.reason = StreamEndReason::kClosed, .text = "closed"}); }
    void say(agent::ToAgent message) {
      asio::post(owner_.executor_, [this, message = std::move(message)] { handler_.on_message(message); });
    }
    void end(const StreamEnd& reason) {
      if (std::exchange(ended_, true)) return;
      asio::post(owner_.executor_, [this, reason] { handler_.on_end(reason); });
    }

   private:
    FakeConnector& owner_;
    StreamHandler handler_;
    bool ended_ = false;
  };

  explicit FakeConnector(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  std::shared_ptr<Stream> open(StreamHandler handler) override {
    streams.push_back(std::make_shared<FakeStream>(*this, std::move(handler)));
    if (on_open) on_open(*streams.back());
    return streams.back();
  }

  std::function<void(FakeStream&)> on_open;
  std::vector<agent::FromAgent> heard;
  std::vector<std::shared_ptr<FakeStream>> streams;

 private:
  asio::any_io_executor executor_;
};

/// Succeeds at once, or never.
class FakeRunner final : public OperationRunner {
 public:
  explicit FakeRunner(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void start(Operation operation, std::stop_token, Done done) override {
    started.push_back(operation);
    asio::post(executor_, [done = std::move(done)] { done(OperationResult{}); });
  }

  void act(agent::BoardAction action, std::stop_token, Acted acted) override {
    acts.push_back(action);
    asio::post(executor_, [acted = std::move(acted)] { acted({}); });
  }

  std::vector<Operation> started;
  std::vector<agent::BoardAction> acts;

 private:
  asio::any_io_executor executor_;
};

/// Nobody asks for connections here.
class NoCaller final : public TunnelCaller {
 public:
  std::shared_ptr<runtime::BytePipe> call(const Secret&) override { return nullptr; }
};

class AgentTest : public testing::Test {
 protected:
  AgentTest() {
    std::ignore = store_.save({.instance = "one"});
    Session::Options options{.identity = {}, .heartbeats = true};
    agent_ = std::make_unique<Agent>(Agent::Parts{.executor = context_.get_executor(),
                                                  .clock = clock_.get(),
                                                  .connector = &connector_,
                                                  .runner = &runner_,
                                                  .tunnels = &tunnels_,
                                                  .desk = &desk_,
                                                  .backoff = Backoff({.least = 1ms, .most = 2ms}, 1),
                                                  .name = "w",
                                                  .quiet = true},
                                     Session(std::move(options), &store_, store_.saved(), false, clock_->now()));
  }

  int run() {
    int code = -1;
    asio::co_spawn(context_, agent_->run(), [&](const std::exception_ptr& failure, int result) {
      EXPECT_FALSE(failure);
      code = result;
    });
    context_.run_for(10s);
    return code;
  }

  asio::io_context context_;
  std::unique_ptr<runtime::Clock> clock_ = runtime::make_system_clock(Instant{});
  FakeConnector connector_{context_.get_executor()};
  FakeRunner runner_{context_.get_executor()};
  NoCaller caller_;
  Tunnels tunnels_{{.executor = context_.get_executor(), .clock = clock_.get(), .caller = &caller_}};
  BoardDesk desk_{context_.get_executor(), clock_.get(), &runner_};
  MemoryStateStore store_;
  std::unique_ptr<Agent> agent_;
};

TEST_F(AgentTest, RegistersObeysAndEndsWhenDeregistered) {
  connector_.on_open = [](FakeConnector::FakeStream& stream) {
    stream.say(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 1min});
    stream.say(agent::Command{.generation = Generation{1}, .body = agent::PutInMaintenance{.message = "hi"}});
    stream.say(agent::Deregistered{});
  };
  EXPECT_EQ(run(), kExitDeregistered);
  ASSERT_FALSE(connector_.heard.empty());
  EXPECT_TRUE(std::holds_alternative<agent::Register>(connector_.heard.front()));
  EXPECT_EQ(runner_.started.size(), 1U);
}

TEST_F(AgentTest, ServesTheBoardToTheJobThatRunsAndToNoOther) {
  connector_.on_open = [](FakeConnector::FakeStream& stream) {
    stream.say(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 1min});
    stream.say(agent::Command{.generation = Generation{1}, .body = agent::Prepare{}});
    stream.say(agent::Command{.generation = Generation{1},
                              .body = agent::Grant{.job = RequestId{7}, .public_keys = {}, .remaining = 1h}});
    stream.say(agent::UseBoard{.job = RequestId{7}, .ticket = 1, .action = agent::BoardAction::kPowerCycle});
    stream.say(agent::UseBoard{.job = RequestId{8}, .ticket = 2, .action = agent::BoardAction::kPowerOff});
  };
  asio::steady_timer stop(context_, 500ms);
  stop.async_wait([this](const boost::system::error_code&) { agent_->request_stop(); });
  EXPECT_EQ(run(), kExitOk);
  std::map<std::uint64_t, agent::BoardResult> answers;
  for (const auto& message : connector_.heard) {
    if (const auto* used = std::get_if<agent::BoardUsed>(&message)) answers.emplace(used->ticket, used->result);
  }
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[2].outcome, agent::BoardOutcome::kRefused);
  EXPECT_EQ(answers[2].error, "job 8 is not on this worker, or not any more");
}

TEST_F(AgentTest, ComesBackAfterEachEndOfAStream) {
  connector_.on_open = [this](FakeConnector::FakeStream& stream) {
    const bool refused = connector_.streams.size() % 2 == 0;
    if (connector_.streams.size() == 5) {
      agent_->request_stop();
      return;
    }
    stream.end({.reason = refused ? StreamEndReason::kRefused : StreamEndReason::kUnreachable, .text = "no"});
  };
  EXPECT_EQ(run(), kExitOk);
  EXPECT_EQ(connector_.streams.size(), 5U);
  EXPECT_EQ(connector_.heard.size(), 5U) << "each stream begins with Register";
}

TEST_F(AgentTest, RegistersAnewWithoutAPause) {
  connector_.on_open = [this](FakeConnector::FakeStream& stream) {
    stream.say(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 1min});
    if (connector_.streams.size() == 1) {
      asio::post(context_, [this] { agent_->register_anew({{"board", "rpi5"}}); });
    } else {
      agent_->request_stop();
    }
  };
  EXPECT_EQ(run(), kExitOk);
  ASSERT_EQ(connector_.heard.size(), 2U);
  const auto* hello = std::get_if<agent::Register>(&connector_.heard.back());
  ASSERT_NE(hello, nullptr);
  EXPECT_EQ(hello->caps, (Capabilities{{"board", "rpi5"}}));
}

TEST_F(AgentTest, BeatsOnTime) {
  connector_.on_open = [](FakeConnector::FakeStream& stream) {
    stream.say(agent::Welcome{.heartbeat_every = 5ms, .lost_grace = 1min});
  };
  asio::steady_timer stop(context_, 500ms);
  stop.async_wait([this](const boost::system::error_code&) { agent_->request_stop(); });
  EXPECT_EQ(run(), kExitOk);
  EXPECT_GE(connector_.heard.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<agent::Heartbeat>(connector_.heard.back()));
}

}  // namespace
}  // namespace boruta::dryad
