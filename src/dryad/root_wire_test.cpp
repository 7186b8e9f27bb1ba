#include "dryad/root_wire.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <thread>

#include "dryad/access_key.hpp"
#include "dryad/public_key.hpp"
#include "dryad/root_channel.hpp"
#include "dryad/root_desk.hpp"
#include "dryad/simulated_access.hpp"

namespace boruta::dryad::root {
namespace {

using namespace std::chrono_literals;

constexpr const char* kEd25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMT27cb3XAvKFpb8pFS2NbGejQs9BfjDKy2QoJB/ifr5";
constexpr const char* kEcdsa =
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBC/E1Gc7EFsv+KGhk3Qq8ynIDhGhaL+4Go8dt0dI1IPwUmyUFg+"
    "JGPzGb/TkHKoB+e8NzdHq6B4c0D6oqO5em0A=";

constexpr const char* kRsaOf1024Bits =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXF"
    "xcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxQ==";

std::vector<Request> every_request() {
  return {Start{},
          Prepare{.public_key = kEd25519},
          Grant{.public_keys = {kEd25519, kEcdsa}},
          Grant{},
          EndJob{},
          PutInMaintenance{.message = "SD card\nbroken"},
          Ready{},
          Healthcheck{.full = true},
          Act{.action = agent::BoardAction::kCurrent},
          Cancel{.number = 0x01020304},
          ReadConfig{},
          OpenConsole{},
          ListenForUsers{}};
}

TEST(RootWire, CarriesEveryRequestAndAnswer) {
  for (const auto& request : every_request()) EXPECT_EQ(parse_request(encode(request)), request) << request.index();
  const Answer answer{.outcome = Outcome::kWarning,
                      .text = "hot",
                      .user_id = 1001,
                      .standing = true,
                      .host_keys = {kEd25519},
                      .milliamperes = -7};
  EXPECT_EQ(parse_answer(encode(answer)), answer);
}

TEST(RootWire, TakesNothingThatIsCutOrLengthened) {
  for (const auto& request : every_request()) {
    const auto bytes = encode(request);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(parse_request(std::string_view(bytes).substr(0, size)).has_value()) << request.index();
    }
    EXPECT_FALSE(parse_request(bytes + '\0').has_value()) << request.index();
  }
}

TEST(RootWire, TakesNoNumberThatIsOutOfPlace) {
  const std::string huge(4, '\xFF');
  EXPECT_FALSE(parse_request("\x0C").has_value()) << "no such request";
  EXPECT_FALSE(parse_request("\x01" + huge).has_value()) << "a text longer than what came";
  EXPECT_FALSE(parse_request("\x02" + huge).has_value()) << "more keys than there can be";
  EXPECT_FALSE(parse_request("\x06\x02").has_value()) << "neither yes nor no";
  EXPECT_FALSE(parse_request("\x07\x06").has_value()) << "no such action";
  EXPECT_FALSE(parse_request(encode(Grant{.public_keys = std::vector<std::string>(33)})).has_value());
  EXPECT_FALSE(parse_request(encode(Prepare{.public_key = std::string(10'000, 'A')})).has_value());
  EXPECT_FALSE(parse_request(encode(PutInMaintenance{.message = std::string(kMessageBytes + 1, 'x')})).has_value());
}

TEST(PublicKeys, AreTakenWithoutTheirComments) {
  EXPECT_EQ(plain_public_key(std::string(kEd25519) + " me@home"), kEd25519);
  EXPECT_EQ(plain_public_key(kEcdsa), kEcdsa);
  const auto rsa = make_access_key().public_line;
  EXPECT_EQ(plain_public_key(rsa), rsa);
}

TEST(PublicKeys, ThatOnlySeemToBeSomeAreRefused) {
  const std::string good(kEd25519);
  const std::string base64 = good.substr(good.find(' ') + 1);
  for (const auto& bad :
       {std::string(), std::string("ssh-ed25519"), "command=\"sh\" " + good, "# " + good, "ssh-rsa " + base64,
        "ssh-ed25519  " + base64, "ssh-ed25519 " + base64.substr(4), good + "=", good + "\n" + good,
        "ssh-ed25519 " + base64.substr(0, base64.size() - 4), "ssh-dss " + base64, std::string(kRsaOf1024Bits)}) {
    EXPECT_FALSE(plain_public_key(bad).has_value()) << bad;
  }
}

/// A desk that serves over real sockets, with a real board of programs.
class RootDesk : public testing::Test {
 protected:
  RootDesk() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, work_), 0);
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, beside_), 0);
    worker_ = std::thread([this] { EXPECT_TRUE(desk_.serve_work(work_[1]).has_value()); });
    besides_ = std::thread([this] { EXPECT_TRUE(desk_.serve_beside(beside_[1]).has_value()); });
  }
  ~RootDesk() override {
    for (const int fd : {work_[0], beside_[0]}) ::close(fd);
    worker_.join();
    besides_.join();
    for (const int fd : {work_[1], beside_[1]}) ::close(fd);
  }

  static Answer answer(int socket, std::string_view bytes, runtime::Descriptor* descriptor = nullptr) {
    EXPECT_TRUE(send_frame(socket, bytes));
    auto frame = receive_frame(socket, kAnswerBytes);
    if (!frame || !*frame) return {.outcome = Outcome::kFailed, .text = "gone"};
    if (descriptor != nullptr) *descriptor = std::move((*frame)->descriptor);
    return parse_answer((*frame)->bytes).value_or(Answer{.outcome = Outcome::kFailed, .text = "no answer"});
  }
  Answer work(const Request& request) { return answer(work_[0], encode(request)); }
  Answer beside(const Request& request) { return answer(beside_[0], encode(request)); }

  int work_[2];
  int beside_[2];

 private:
  static BoardOptions programs() {
    return {.driver = "exec",
            .maintenance = {"sh", "-c", "echo \"$BORUTA_MESSAGE\" >&2; exit 1"},
            .healthcheck = {"sh", "-c", "echo warm >&2; exit 1"},
            .healthcheck_full = {"sleep", "100"},
            .current = {"echo", "240"}};
  }

  RepeatedKeys keys_{1};
  SimulatedAccess access_{keys_, 22};
  std::unique_ptr<Board> board_ = *make_board(programs());
  GivenKey key_;

 protected:
  Desk desk_{{.access = &access_,
              .board = board_.get(),
              .key = &key_,
              .open_console = [] { return std::unexpected("no console"); },
              .listen_for_users = [] { return runtime::Descriptor(::dup(STDERR_FILENO)); },
              .read_config = [] { return std::string("[caps]"); }}};

 private:
  std::thread worker_;
  std::thread besides_;
};

TEST_F(RootDesk, DoesWhatIsAskedFor) {
  EXPECT_EQ(work(Start{}).outcome, Outcome::kDone);
  EXPECT_EQ(work(Prepare{.public_key = kEd25519}).outcome, Outcome::kDone);
  EXPECT_EQ(work(Grant{.public_keys = {kEcdsa}}).outcome, Outcome::kDone);
  EXPECT_EQ(work(EndJob{}).outcome, Outcome::kDone);
  EXPECT_EQ(work(Ready{}).outcome, Outcome::kDone);
  EXPECT_EQ(work(Act{.action = agent::BoardAction::kCurrent}).milliamperes, 240);
  EXPECT_EQ(work(Act{.action = agent::BoardAction::kSdHost}).outcome, Outcome::kRefused);
  EXPECT_EQ(work(Healthcheck{}).outcome, Outcome::kWarning);
  EXPECT_EQ(beside(ReadConfig{}).text, "[caps]");
  EXPECT_EQ(beside(OpenConsole{}), (Answer{.outcome = Outcome::kFailed, .text = "no console"}));
  runtime::Descriptor handed;
  EXPECT_EQ(answer(beside_[0], encode(ListenForUsers{}), &handed).outcome, Outcome::kDone);
  EXPECT_TRUE(handed.valid());
}

TEST_F(RootDesk, LetsInNobodyByWhatIsNoKey) {
  const std::string smuggled = std::string("command=\"id\" ") + kEd25519;
  EXPECT_EQ(work(Prepare{.public_key = smuggled}).outcome, Outcome::kFailed);
  EXPECT_EQ(work(Grant{.public_keys = {kEd25519, smuggled}}).outcome, Outcome::kFailed);
}

TEST_F(RootDesk, TakesControlCharactersOutOfWhatPeopleRead) {
  const auto shown = work(PutInMaintenance{.message = std::string("a\0b\x1B[2J", 7)});
  EXPECT_EQ(shown.outcome, Outcome::kFailed);
  EXPECT_TRUE(shown.text.ends_with("a b [2J")) << shown.text;
}

TEST_F(RootDesk, AnswersWhatItDoesNotUnderstandAndGoesOn) {
  EXPECT_EQ(answer(work_[0], "\xFFnonsense").outcome, Outcome::kFailed);
  EXPECT_EQ(work(ReadConfig{}).outcome, Outcome::kFailed) << "only beside the work";
  EXPECT_EQ(beside(EndJob{}).outcome, Outcome::kFailed) << "only as work";
  EXPECT_EQ(work(Start{}).outcome, Outcome::kDone);
}

TEST_F(RootDesk, EndsWithAFrameThatIsTooLong) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const runtime::Descriptor ours(ends[0]);
  const runtime::Descriptor theirs(ends[1]);
  ASSERT_EQ(::send(ours.get(), "\x7F\xFF\xFF\xFF", 4, MSG_NOSIGNAL), 4);
  const auto ended = desk_.serve_work(theirs.get());
  ASSERT_FALSE(ended.has_value());
  EXPECT_NE(ended.error().find("2147483647 bytes"), std::string::npos) << ended.error();
}

TEST_F(RootDesk, EndsEarlyWhatIsCancelledAlsoBeforeItBegan) {
  EXPECT_EQ(beside(Cancel{.number = 1}).outcome, Outcome::kDone);
  const auto stopped = work(Healthcheck{.full = true});
  EXPECT_EQ(stopped.outcome, Outcome::kFailed);
  EXPECT_NE(stopped.text.find("stopped"), std::string::npos) << stopped.text;
  EXPECT_TRUE(send_frame(work_[0], encode(Healthcheck{.full = true})));
  EXPECT_EQ(beside(Cancel{.number = 2}).outcome, Outcome::kDone);
  const auto frame = receive_frame(work_[0], kAnswerBytes);
  ASSERT_TRUE(frame && *frame);
  EXPECT_NE(parse_answer((*frame)->bytes)->text.find("stopped"), std::string::npos);
}

TEST_F(RootDesk, CountsAlsoWhatItDoesNotUnderstand) {
  EXPECT_EQ(answer(work_[0], "\xFFnonsense").outcome, Outcome::kFailed);
  EXPECT_EQ(work(ReadConfig{}).outcome, Outcome::kFailed);
  EXPECT_EQ(beside(Cancel{.number = 3}).outcome, Outcome::kDone);
  EXPECT_NE(work(Healthcheck{.full = true}).text.find("stopped"), std::string::npos) << "the third";
  EXPECT_EQ(work(Act{.action = agent::BoardAction::kCurrent}).milliamperes, 240) << "the fourth";
}

TEST(RootChannel, HandsOverOneDescriptorAndClosesTheRest) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const runtime::Descriptor ours(ends[0]);
  const runtime::Descriptor theirs(ends[1]);
  ASSERT_TRUE(send_frame(ours.get(), "x", STDERR_FILENO));
  auto frame = receive_frame(theirs.get(), 1);
  ASSERT_TRUE(frame && *frame);
  EXPECT_TRUE((*frame)->descriptor.valid());
  ASSERT_TRUE(send_frame(ours.get(), "xy"));
  EXPECT_FALSE(receive_frame(theirs.get(), 1).has_value()) << "longer than allowed";
}

}  // namespace
}  // namespace boruta::dryad::root
