#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <map>
#include <memory>
#include <string>

#include "base/assert.hpp"
#include "server/ssh_key.hpp"
#include "sim/world.hpp"

namespace boruta::server {

/// The server's own function, compiled under a name that leaves its place free.
std::expected<std::string, std::string> read_fingerprint_of(const Secret& private_key);

/// Stands in for the server's: OpenSSL takes longer to read a key than the simulation for an hour, and the keys are
/// always the same few. Each is read once.
std::expected<std::string, std::string> fingerprint_of(const Secret& private_key) {
  static std::map<std::string, std::expected<std::string, std::string>, std::less<>> known;
  auto found = known.find(private_key.reveal());
  if (found == known.end()) {
    found = known.emplace(private_key.reveal(), read_fingerprint_of(private_key)).first;
  }
  return found->second;
}

}  // namespace boruta::server

namespace boruta::sim {
namespace {

/// Short, so that it is quickly made and passed on: nobody is kept out by it.
Secret make_key() {
  constexpr unsigned kBits = 512;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(kBits), EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> buffer(BIO_new(BIO_s_mem()), BIO_free);
  BORUTA_ASSERT(PEM_write_bio_PrivateKey_traditional(buffer.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
                1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(buffer.get(), &data);
  return Secret(std::string(data, static_cast<std::size_t>(size)));
}

}  // namespace

const Secret& agent_key() {
  static const Secret kKey = make_key();
  return kKey;
}

const Secret& wrong_key() {
  static const Secret kKey = make_key();
  return kKey;
}

}  // namespace boruta::sim
