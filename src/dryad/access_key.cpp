#include "dryad/access_key.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "base/assert.hpp"
#include "base/free_with.hpp"

namespace boruta::dryad {
namespace {

constexpr unsigned kBits = 2048;
constexpr int kLowestPriority = 19;

using PrivateKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Buffer = std::unique_ptr<BIO, FreeWith<BIO_free>>;

Secret to_pem(EVP_PKEY* key) {
  const Buffer buffer(BIO_new(BIO_s_mem()));
  BORUTA_ASSERT(buffer != nullptr);
  BORUTA_ASSERT(PEM_write_bio_PrivateKey_traditional(buffer.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(buffer.get(), &data);
  return Secret(std::string(data, static_cast<std::size_t>(size)));
}

void append_field(std::string& blob, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  for (const int shift : {24, 16, 8, 0})
    blob.push_back(static_cast<char>((size >> static_cast<unsigned>(shift)) & 0xFFU));
  blob += bytes;
}

/// A positive mpint of RFC 4251: big-endian, with a zero byte before a set highest bit.
void append_number(std::string& blob, EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  BORUTA_ASSERT(EVP_PKEY_get_bn_param(key, name, &raw) == 1);
  const Number number(raw);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  if ((static_cast<unsigned char>(bytes.front()) & 0x80U) != 0) bytes.insert(0, 1, '\0');
  append_field(blob, bytes);
}

std::string to_openssh(EVP_PKEY* key) {
  std::string blob;
  append_field(blob, "ssh-rsa");
  append_number(blob, key, OSSL_PKEY_PARAM_RSA_E);
  append_number(blob, key, OSSL_PKEY_PARAM_RSA_N);
  std::string base64((blob.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                   reinterpret_cast<const unsigned char*>(blob.data()), static_cast<int>(blob.size()));
  base64.resize(static_cast<std::size_t>(size));
  return "ssh-rsa " + base64;
}

}  // namespace

AccessKey make_access_key() {
  const PrivateKey key(EVP_RSA_gen(kBits));
  BORUTA_ASSERT(key != nullptr);
  return {.private_pem = to_pem(key.get()), .public_line = to_openssh(key.get())};
}

KeyPool::KeyPool(std::size_t size) : size_(size), filler_([this] { fill(); }) {}

KeyPool::~KeyPool() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  taken_.notify_all();
  filler_.join();
}

AccessKey KeyPool::take() {
  {
    const std::scoped_lock lock(mutex_);
    if (!keys_.empty()) {
      auto key = std::move(keys_.front());
      keys_.pop_front();
      taken_.notify_all();
      return key;
    }
  }
  return make_access_key();
}

std::size_t KeyPool::stock() const {
  const std::scoped_lock lock(mutex_);
  return keys_.size();
}

void KeyPool::fill() {
  // On Linux this is the priority of the calling thread alone. Failing, keys are made a little less politely.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLowestPriority);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (keys_.size() >= size_) {
      taken_.wait(lock);
      continue;
    }
    lock.unlock();
    auto key = make_access_key();
    lock.lock();
    keys_.push_back(std::move(key));
  }
}

RepeatedKeys::RepeatedKeys(std::size_t count) {
  BORUTA_ASSERT(count > 0);
  for (std::size_t i = 0; i < count; ++i) keys_.push_back(make_access_key());
}

AccessKey RepeatedKeys::take() { return keys_[next_++ % keys_.size()]; }

}  // namespace boruta::dryad
