#include "dryad/console.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <termios.h>
#include <unistd.h>

#include "dryad/scratch_dir.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

/// The device's end of a serial line.
class Device {
 public:
  explicit Device(std::filesystem::path name) : name_(std::move(name)) { plug_in(); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { unplug(); }

  void plug_in() {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    char name[128];
    if (::grantpt(master_) != 0 || ::unlockpt(master_) != 0 || ::ptsname_r(master_, name, sizeof name) != 0) ::abort();
    termios raw{};
    ::tcgetattr(master_, &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(master_, TCSANOW, &raw);
    std::filesystem::create_symlink(name, name_);
  }
  void unplug() {
    std::error_code ignored;
    std::filesystem::remove(name_, ignored);
    ::close(std::exchange(master_, -1));
  }
  void print(std::string_view text) const { ASSERT_EQ(::write(master_, text.data(), text.size()), std::ssize(text)); }
  [[nodiscard]] std::string typed() const {
    char buffer[4096];
    const auto got = ::read(master_, buffer, sizeof buffer);
    return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
  }

 private:
  std::filesystem::path name_;
  int master_ = -1;
};

struct Ear final : ConsoleReader {
  void heard(std::string_view bytes) override { text += bytes; }
  void ended() override { over = true; }

  std::string text;
  bool over = false;
};

class ConsoleTest : public testing::Test {
 protected:
  ~ConsoleTest() override {
    console_.serve(std::nullopt);
    await([] { return false; }, 50ms);
  }

  bool await(const std::function<bool()>& condition, std::chrono::milliseconds limit = 3s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    // Asked once more would be once too often: some conditions take what they see.
    bool met = false;
    while (!(met = condition()) && std::chrono::steady_clock::now() < deadline) {
      context_.restart();
      context_.run_for(5ms);
    }
    return met;
  }

  std::shared_ptr<Ear> listen(bool writes) {
    auto ear = std::make_shared<Ear>();
    EXPECT_EQ(console_.attach(ear), writes);
    return ear;
  }
  /// The line is open once the device hears what is written.
  void await_line(const std::shared_ptr<Ear>& writer) {
    // What is left of an earlier time tells nothing.
    while (!device_.typed().empty()) {
    }
    ASSERT_TRUE(await([&] { return console_.write(writer, "x") && device_.typed().starts_with("x"); }));
  }

  ScratchDir dir_;
  Device device_{dir_.path() / "tty"};
  asio::io_context context_;
  std::unique_ptr<runtime::Clock> clock_ = runtime::make_system_clock(Instant{});
  Console console_{{.executor = context_.get_executor(),
                    .clock = clock_.get(),
                    .open = [this] { return SerialPort::open(dir_.path() / "tty", 115200); },
                    .log_dir = dir_.path() / "console"}};
};

TEST_F(ConsoleTest, IsReadByManyAndWrittenByOne) {
  console_.serve(RequestId{7});
  const auto first = listen(true);
  const auto second = listen(false);
  await_line(first);
  device_.print("login: ");
  EXPECT_TRUE(await([&] { return first->text == "login: " && second->text == "login: "; })) << first->text;
  EXPECT_TRUE(console_.write(first, "root\n"));
  EXPECT_TRUE(console_.write(second, "sneak"));
  std::string typed;
  EXPECT_TRUE(await([&] { return (typed += device_.typed()).ends_with("root\n"); })) << typed;
  EXPECT_EQ(typed.find("sneak"), std::string::npos);
  console_.detach(first);
  const auto third = listen(true);
  EXPECT_TRUE(console_.write(third, "x"));
}

TEST_F(ConsoleTest, EndsWithTheJobAndKeepsWhatWasPrinted) {
  console_.serve(RequestId{7});
  auto ear = listen(true);
  await_line(ear);
  device_.print("of job 7\n");
  ASSERT_TRUE(await([&] { return !ear->text.empty(); }));
  console_.serve(std::nullopt);
  EXPECT_TRUE(ear->over);
  await([] { return false; }, 50ms);
  device_.print("of nobody\n");
  console_.serve(RequestId{8});
  ear = listen(true);
  await_line(ear);
  device_.print("of job 8\n");
  ASSERT_TRUE(await([&] { return ear->text.find("of job 8") != std::string::npos; })) << ear->text;
  EXPECT_EQ(console_.log_of(RequestId{7}).value_or("none"), "of job 7\n");
  EXPECT_EQ(console_.log_of(RequestId{8}).value_or("none"), "of job 8\n") << "nothing of before";
  EXPECT_FALSE(console_.log_of(RequestId{9}).has_value());
}

TEST_F(ConsoleTest, OpensALineAgainThatWasUnplugged) {
  console_.serve(RequestId{7});
  const auto ear = listen(true);
  await_line(ear);
  device_.unplug();
  EXPECT_TRUE(await([&] { return ear->text.find("the console's line is gone") != std::string::npos; }));
  device_.plug_in();
  await_line(ear);
  device_.print("back\n");
  EXPECT_TRUE(await([&] { return ear->text.ends_with("back\n"); })) << ear->text;
}

class ConsoleLogTest : public testing::Test {
 protected:
  ScratchDir dir_;
  ConsoleLog log_{dir_.path() / "console"};
};

TEST_F(ConsoleLogTest, KeepsTheNewestOfALotAndIsBounded) {
  ASSERT_TRUE(log_.begin(RequestId{1}).has_value());
  std::string all;
  for (int i = 0; all.size() < 3 * kConsoleLogBytes; ++i) {
    const auto lines = fmt::format("{:0>999}\n", i);
    log_.append(lines);
    all += lines;
  }
  const auto kept = log_.read(RequestId{1}).value();
  EXPECT_GE(kept.size(), kConsoleLogBytes / 2);
  EXPECT_LE(kept.size(), kConsoleLogBytes);
  EXPECT_TRUE(all.ends_with(kept));
}

TEST_F(ConsoleLogTest, KeepsTheLastJobsAndGoesOnWithAnOldOne) {
  for (std::uint64_t job = 1; job <= kConsoleLogs + 2; ++job) {
    ASSERT_TRUE(log_.begin(RequestId{job}).has_value());
    log_.append(std::to_string(job));
  }
  EXPECT_FALSE(log_.read(RequestId{1}).has_value());
  EXPECT_FALSE(log_.read(RequestId{2}).has_value());
  EXPECT_EQ(log_.read(RequestId{3}).value_or("none"), "3");
  ConsoleLog restarted(dir_.path() / "console");
  ASSERT_TRUE(restarted.begin(RequestId{3}).has_value());
  restarted.append(", and on");
  EXPECT_EQ(restarted.read(RequestId{3}).value_or("none"), "3, and on");
}

}  // namespace
}  // namespace boruta::dryad
