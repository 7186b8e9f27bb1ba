#include "dryad/access_key.hpp"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <thread>

#include "dryad/access.hpp"
#include "dryad/files.hpp"
#include "dryad/scratch_dir.hpp"

namespace boruta::dryad {
namespace {

TEST(AccessKey, IsRsaOf2048BitsInPkcs1) {
  const auto key = make_access_key();
  const auto pem = key.private_pem.reveal();
  EXPECT_TRUE(pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
  BIO* buffer = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* parsed = PEM_read_bio_PrivateKey(buffer, nullptr, nullptr, nullptr);
  ASSERT_NE(parsed, nullptr);
  EXPECT_EQ(EVP_PKEY_get_base_id(parsed), EVP_PKEY_RSA);
  EXPECT_EQ(EVP_PKEY_get_bits(parsed), 2048);
  EVP_PKEY_free(parsed);
  BIO_free(buffer);
}

TEST(AccessKey, HasThePublicHalfThatOpenSshSees) {
  const ScratchDir scratch;
  const auto key = make_access_key();
  const auto file = scratch.path() / "key";
  ASSERT_TRUE(write_file_durably(file, key.private_pem.reveal(), 0600).has_value());
  FILE* keygen = ::popen(("ssh-keygen -y -f " + file.native()).c_str(), "r");
  ASSERT_NE(keygen, nullptr);
  char line[2048] = {};
  ASSERT_NE(std::fgets(line, sizeof line, keygen), nullptr);
  ::pclose(keygen);
  EXPECT_EQ(key.public_line + "\n", line);
}

TEST(KeyPool, FillsItselfAndGivesEachKeyOnce) {
  KeyPool pool(1);
  while (pool.stock() < 1) std::this_thread::yield();
  const auto first = pool.take();
  const auto second = pool.take();
  EXPECT_NE(first.public_line, second.public_line);
}

TEST(RepeatedKeys, GivesTheSameFewAgain) {
  RepeatedKeys keys(2);
  const auto first = keys.take().public_line;
  EXPECT_NE(keys.take().public_line, first);
  EXPECT_EQ(keys.take().public_line, first);
}

TEST(AuthorizedKeys, TakesKeysAndNothingElse) {
  EXPECT_EQ(authorized_keys_text({"ssh-ed25519 A a@b", "ecdsa-sha2-nistp256 B"}),
            "ssh-ed25519 A a@b\necdsa-sha2-nistp256 B\n");
  for (const std::string& bad :
       {std::string(), std::string("ssh-rsa A\nssh-rsa B"), std::string("# ssh-rsa A"), std::string("ssh-rsa A\r"),
        std::string("hello"), "ssh-rsa " + std::string(20'000, 'A'), std::string("ssh-rsa \0A", 10)}) {
    EXPECT_FALSE(authorized_keys_text({"ssh-rsa A", bad}).has_value()) << bad.substr(0, 40);
  }
}

TEST(HostKeys, AreReadWithoutTheirComments) {
  const ScratchDir scratch;
  const auto file = (scratch.path() / "k.pub").native();
  ASSERT_TRUE(write_file_durably(file, "ssh-ed25519 AAAA root@host\n", 0644).has_value());
  EXPECT_EQ(read_host_keys({file, "/no/such/file"}), (std::vector<std::string>{"ssh-ed25519 AAAA"}));
}

}  // namespace
}  // namespace boruta::dryad
