#include "cli/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace boruta::cli {
namespace {

namespace fs = std::filesystem;

Environment environment_of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

class SettingsFile : public testing::Test {
 protected:
  SettingsFile() {
    std::string folder = (fs::temp_directory_path() / "boruta-settings-XXXXXX").native();
    folder_ = ::mkdtemp(folder.data());
    path_ = folder_ / "deep" / "boruta" / "config.toml";
  }
  ~SettingsFile() override { fs::remove_all(folder_); }

  static unsigned mode_of(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
  }

  fs::path folder_;
  fs::path path_;
};

TEST_F(SettingsFile, ComesBackAsItWasStored) {
  const StoredLogin login{.url = "http://farm:8487", .token = Secret("t0\"ken\\"), .ca = "/etc/c a.pem"};
  ASSERT_TRUE(save_login(path_, login).has_value());
  const auto loaded = load_login(path_);
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->url, login.url);
  EXPECT_EQ((*loaded)->token.reveal(), login.token.reveal());
  EXPECT_EQ((*loaded)->ca, login.ca);
}

TEST_F(SettingsFile, IsForItsOwnerAlone) {
  const auto old = ::umask(0);
  const auto saved = save_login(path_, {.url = "http://farm", .token = Secret("t"), .ca = ""});
  ::umask(old);
  ASSERT_TRUE(saved.has_value()) << saved.error();
  EXPECT_EQ(mode_of(path_), 0600U);
  EXPECT_EQ(mode_of(path_.parent_path()), 0700U);
}

TEST_F(SettingsFile, IsReplacedInOneStepAndLeavesNothingBeside) {
  ASSERT_TRUE(save_login(path_, {.url = "http://one", .token = Secret("t"), .ca = ""}).has_value());
  ::chmod(path_.c_str(), 0644);
  ASSERT_TRUE(save_login(path_, {.url = "http://two", .token = Secret("t"), .ca = ""}).has_value());
  EXPECT_EQ((*load_login(path_))->url, "http://two");
  EXPECT_EQ(mode_of(path_), 0600U);
  EXPECT_EQ(std::distance(fs::directory_iterator(path_.parent_path()), fs::directory_iterator()), 1);
}

TEST_F(SettingsFile, MayBeMissing) {
  const auto loaded = load_login(path_);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(loaded->has_value());
}

TEST_F(SettingsFile, IsNotQuotedWhenItIsBroken) {
  fs::create_directories(path_.parent_path());
  std::ofstream(path_) << "url = \"http://farm\"\ntoken = s3cret\n";
  const auto loaded = load_login(path_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().find(path_.native() + ":2"), std::string::npos) << loaded.error();
  EXPECT_EQ(loaded.error().find("s3cret"), std::string::npos) << loaded.error();
}

TEST_F(SettingsFile, OfATokenIsReadToTheEndOfTheLine) {
  const auto path = (folder_ / "token").native();
  std::ofstream(path) << "  abc \nrest\n";
  EXPECT_EQ(read_token_file(path).value().reveal(), "abc");
  std::ofstream(path) << "\n";
  EXPECT_FALSE(read_token_file(path).has_value());
  EXPECT_FALSE(read_token_file("/nonexistent").has_value());
}

TEST(Settings, AreKeptWhereTheEnvironmentSays) {
  EXPECT_EQ(login_path(environment_of({{"XDG_CONFIG_HOME", "/x"}, {"HOME", "/h"}})).value(), "/x/boruta/config.toml");
  EXPECT_EQ(login_path(environment_of({{"XDG_CONFIG_HOME", "x"}, {"HOME", "/h"}})).value(),
            "/h/.config/boruta/config.toml");
  EXPECT_FALSE(login_path(environment_of({})).has_value());
}

TEST(Settings, FlagsBeatTheEnvironmentWhichBeatsTheFile) {
  const StoredLogin stored{.url = "http://stored", .token = Secret("stored"), .ca = "stored.pem"};
  const auto from_file = resolve_settings({}, environment_of({}), stored).value();
  EXPECT_EQ(from_file.url.host, "stored");
  EXPECT_EQ(from_file.token.reveal(), "stored");
  EXPECT_EQ(from_file.ca, "stored.pem");
  const auto environment =
      environment_of({{"BORUTA_URL", "http://env"}, {"BORUTA_TOKEN", "env"}, {"BORUTA_CA", "env.pem"}});
  const auto from_environment = resolve_settings({}, environment, stored).value();
  EXPECT_EQ(from_environment.url.host, "env");
  EXPECT_EQ(from_environment.token.reveal(), "env");
  EXPECT_EQ(from_environment.ca, "env.pem");
  const auto from_flags =
      resolve_settings({.url = "http://flag", .token_file = "", .ca = "flag.pem"}, environment, stored).value();
  EXPECT_EQ(from_flags.url.host, "flag");
  EXPECT_EQ(from_flags.ca, "flag.pem");
}

TEST(Settings, SendAStoredTokenNowhereElse) {
  const StoredLogin stored{.url = "https://farm", .token = Secret("stored"), .ca = ""};
  EXPECT_TRUE(resolve_settings({.url = "https://other", .token_file = "", .ca = ""}, environment_of({}), stored)
                  ->token.empty());
  EXPECT_TRUE(resolve_settings({.url = "http://farm:443", .token_file = "", .ca = ""}, environment_of({}), stored)
                  ->token.empty());
  EXPECT_FALSE(resolve_settings({.url = "https://farm:443/", .token_file = "", .ca = ""}, environment_of({}), stored)
                   ->token.empty());
}

TEST(Settings, AreThisMachineWhenNothingIsSaid) {
  EXPECT_EQ(format_url(resolve_settings({}, environment_of({}), std::nullopt)->url), "http://127.0.0.1:8487");
}

TEST(Settings, SayWhereABadUrlComesFrom) {
  const auto bad = resolve_settings({}, environment_of({{"BORUTA_URL", "ftp://x"}}), std::nullopt);
  ASSERT_FALSE(bad.has_value());
  EXPECT_TRUE(bad.error().starts_with("BORUTA_URL: ")) << bad.error();
}

TEST(Settings, RefuseATokenThatWouldBreakAHeader) {
  const auto bad = resolve_settings({}, environment_of({{"BORUTA_TOKEN", "a\r\nX: y"}}), std::nullopt);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().find("X: y"), std::string::npos);
}

}  // namespace
}  // namespace boruta::cli
