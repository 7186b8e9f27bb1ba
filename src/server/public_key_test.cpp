#include "server/public_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "server/ssh_key.hpp"

namespace boruta::server {
namespace {

/// What a command of OpenSSH says, so that this is held against the real thing.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  std::string text;
  for (int letter = std::fgetc(pipe.get()); letter != EOF; letter = std::fgetc(pipe.get())) {
    text.push_back(static_cast<char>(letter));
  }
  return text;
}

class PublicKeys : public testing::Test {
 protected:
  PublicKeys() {
    std::string name = testing::TempDir() + "boruta-keys-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~PublicKeys() override { std::filesystem::remove_all(folder_); }

  std::string make(const std::string& options) {
    const auto file = (folder_ / ("key" + std::to_string(++made_))).string();
    output_of("ssh-keygen -q -N '' -C 'alice@laptop' " + options + " -f " + file + " 2>&1");
    return contents(file + ".pub");
  }
  static std::string contents(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  /// As "256 SHA256:… alice@laptop (ED25519)".
  std::string listed(const std::string& line) {
    const auto file = folder_ / "listed.pub";
    std::ofstream(file) << line;
    return output_of("ssh-keygen -l -f " + file.string());
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// The private half of what was made last.
  [[nodiscard]] std::filesystem::path newest() const { return folder_ / ("key" + std::to_string(made_)); }

 private:
  std::filesystem::path folder_;
  int made_ = 0;
};

TEST_F(PublicKeys, HaveTheFingerprintThatTheirPrivateHalvesTell) {
  for (const auto* options : {"-t rsa -b 2048 -m PEM", "-t rsa -b 3072 -m PEM"}) {
    const auto line = make(options);
    const auto pem = contents(newest());
    EXPECT_EQ(fingerprint_of(Secret(pem)).value(), parse_public_key(line)->fingerprint);
    for (const auto& wrong : {std::string(), std::string("x"), pem.substr(0, pem.size() / 2), line}) {
      EXPECT_FALSE(fingerprint_of(Secret(wrong)).has_value()) << wrong;
    }
    // A letter of the first line of base64 holds the lengths.
    auto garbled = pem;
    garbled.at(garbled.find('\n') + 2) = 'x';
    EXPECT_FALSE(fingerprint_of(Secret(garbled)).has_value());
  }
  make("-t ed25519");
  EXPECT_FALSE(fingerprint_of(Secret(contents(newest()))).has_value());
}

std::string error_of(std::string_view text) {
  const auto key = parse_public_key(text);
  return key ? "taken" : key.error();
}

TEST_F(PublicKeys, OfTheTypesTakenAreReadAsOpenSshReadsThem) {
  for (const auto* options :
       {"-t ed25519", "-t ecdsa -b 256", "-t ecdsa -b 384", "-t ecdsa -b 521", "-t rsa -b 2048", "-t rsa -b 3072"}) {
    const auto line = make(options);
    const auto key = parse_public_key(line);
    ASSERT_TRUE(key) << options << ": " << key.error();
    EXPECT_EQ(std::to_string(key->bits) + " " + key->fingerprint + " alice@laptop (" + std::string(key->type) + ")\n",
              listed(line));
    EXPECT_EQ(key->line + " alice@laptop\n", line);
    EXPECT_EQ(key->comment, "alice@laptop");
    EXPECT_EQ(parse_public_key(key->line)->fingerprint, key->fingerprint);
  }
}

TEST_F(PublicKeys, ThatAreTooWeakOrOfOtherTypesAreRefusedInWords) {
  EXPECT_EQ(error_of(make("-t rsa -b 1024")),
            "the RSA key has 1024 bits: 2048 to 16384 are taken; \"ssh-keygen -t ed25519\" makes a good one");
  EXPECT_EQ(error_of("ssh-dss AAAAB3NzaC1kc3M= alice"),
            "keys of type ssh-dss are not taken: Ed25519, ECDSA and RSA keys of at least 2048 bits are taken");
  EXPECT_THAT(error_of("sk-ssh-ed25519@openssh.com AAAA"), testing::HasSubstr("sk-ssh-ed25519@openssh.com are not"));
  EXPECT_THAT(error_of("ssh-ed25519-cert-v01@openssh.com AAAA"), testing::HasSubstr("are not taken"));
}

TEST_F(PublicKeys, OfLongUnknownTypesAreNamedUpToAWholeCharacter) {
  std::string letters;
  while (letters.size() < 90) letters += "\u2571";
  const std::string rest = " are not taken: Ed25519, ECDSA and RSA keys of at least 2048 bits are taken";
  EXPECT_EQ(error_of("ssh-" + letters + " AAAA"), "keys of type ssh-" + letters.substr(0, 60) + rest);
  EXPECT_EQ(error_of("ssh-x" + letters + " AAAA"), "keys of type ssh-x" + letters.substr(0, 57) + rest);
}

TEST_F(PublicKeys, WithOptionsAreRefused) {
  const auto line = make("-t ed25519");
  for (const auto* option : {"command=\"/bin/sh\" ", "no-pty,from=\"10.0.0.1\" ", "restrict ", "cert-authority "}) {
    EXPECT_EQ(error_of(option + line), "options before the key (command=, from=, …) are not taken: give the key alone");
  }
}

TEST_F(PublicKeys, AreOneLineAndNoMore) {
  const auto line = make("-t ed25519");
  EXPECT_EQ(error_of(line + line), "the key must be a single line of printable characters, one key at a time");
  EXPECT_EQ(error_of(line.substr(0, 30) + "\n" + line.substr(30)),
            "the key must be a single line of printable characters, one key at a time");
  EXPECT_EQ(error_of(std::string("ssh-ed25519 \0AAAA", 17)),
            "the key must be a single line of printable characters, one key at a time");
  EXPECT_THAT(error_of("ssh-rsa " + std::string(9'000, 'A')), testing::HasSubstr("at most 8192 are taken"));
}

TEST_F(PublicKeys, AreNeverPrivate) {
  make("-t ed25519");
  const auto error = error_of(contents(folder() / "key1"));
  EXPECT_EQ(error, "this is a private key, which nobody but you should have: give the .pub file beside it");
}

TEST_F(PublicKeys, ThatAreDamagedAreRefused) {
  const auto ed25519 = make("-t ed25519");
  const auto ecdsa = make("-t ecdsa -b 256");
  const auto rsa = make("-t rsa -b 2048");
  const std::string damaged = "the key is damaged: copy the whole line of the .pub file again";
  for (const auto& line : {ed25519, ecdsa, rsa}) {
    const auto type = line.substr(0, line.find(' '));
    const auto blob = line.substr(type.size() + 1, line.rfind(' ') - type.size() - 1);
    for (std::size_t size = 0; size < blob.size(); ++size) {
      ASSERT_EQ(error_of(type + " " + blob.substr(0, size)), damaged) << type << " cut to " << size;
    }
    EXPECT_EQ(error_of(type + " " + blob + "AAAA"), damaged);
    EXPECT_EQ(error_of(type + " !" + blob.substr(1)), damaged);
  }
  // One type's name with another's key, and a point beside the curve.
  EXPECT_EQ(error_of("ssh-rsa" + ed25519.substr(11)), damaged);
  auto beside = ecdsa;
  auto& digit = beside[beside.rfind(' ') - 10];
  digit = digit == 'A' ? 'B' : 'A';
  EXPECT_EQ(error_of(beside), damaged);
  EXPECT_EQ(error_of(""),
            "this is no public key of OpenSSH, \"ssh-ed25519 AAAA…\": Ed25519, ECDSA and RSA keys of at "
            "least 2048 bits are taken");
}

}  // namespace
}  // namespace boruta::server
