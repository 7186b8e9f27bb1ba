#include "server/ssh_key.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/free_with.hpp"
#include "server/public_key.hpp"

namespace boruta::server {
namespace {

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using BigNumber = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

void append_string(std::vector<unsigned char>& blob, const std::vector<unsigned char>& bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  for (const unsigned shift : {24U, 16U, 8U, 0U}) blob.push_back(static_cast<unsigned char>(length >> shift));
  blob.insert(blob.end(), bytes.begin(), bytes.end());
}

/// An mpint of RFC 4251: a leading zero where the highest bit is set.
std::vector<unsigned char> mpint_of(const BIGNUM& number) {
  std::vector<unsigned char> bytes(static_cast<std::size_t>(BN_num_bytes(&number)) + 1);
  BN_bn2bin(&number, bytes.data() + 1);
  constexpr unsigned char kHighBit = 0x80;
  if (bytes.size() > 1 && (bytes[1] & kHighBit) == 0) bytes.erase(bytes.begin());
  return bytes;
}

BigNumber parameter(const EVP_PKEY& key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(&key, name, &number);
  return BigNumber(number);
}

}  // namespace

std::expected<std::string, std::string> fingerprint_of(const Secret& private_key) {
  const auto pem = private_key.reveal();
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return std::unexpected("it is no RSA key in PEM");
  const auto exponent = parameter(*key, OSSL_PKEY_PARAM_RSA_E);
  const auto modulus = parameter(*key, OSSL_PKEY_PARAM_RSA_N);
  if (!exponent || !modulus) return std::unexpected("it lacks a public half");

  constexpr std::array<unsigned char, 7> kAlgorithm{'s', 's', 'h', '-', 'r', 's', 'a'};
  std::vector<unsigned char> blob;
  append_string(blob, {kAlgorithm.begin(), kAlgorithm.end()});
  append_string(blob, mpint_of(*exponent));
  append_string(blob, mpint_of(*modulus));

  return fingerprint_of_blob(blob);
}

}  // namespace boruta::server
