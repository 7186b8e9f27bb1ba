#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "base/assert.hpp"
#include "sim/world.hpp"

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
