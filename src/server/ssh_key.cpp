#include "server/ssh_key.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/pem.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/free_with.hpp"
#include "server/public_key.hpp"

namespace boruta::server {
namespace {

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using BigNumber = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>>;

/// What stands between the lines of a PEM file, wiped when it goes.
struct Pem {
  Pem() = default;
  Pem(const Pem&) = delete;
  Pem& operator=(const Pem&) = delete;
  ~Pem() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  }

  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
};

/// Of an RSAPrivateKey (RFC 8017, A.1.2), whose other numbers are left unread.
struct PublicHalf {
  BigNumber modulus;
  BigNumber exponent;
};

BigNumber read_integer(const unsigned char*& place, const unsigned char* end) {
  const Integer integer(d2i_ASN1_INTEGER(nullptr, &place, end - place));
  return BigNumber(integer ? ASN1_INTEGER_to_BN(integer.get(), nullptr) : nullptr);
}

PublicHalf read_public_half(const Pem& pem) {
  const unsigned char* place = pem.data;
  const auto* const end = place + pem.size;
  long length = 0;
  int tag = 0;
  int kind = 0;
  const int form = ASN1_get_object(&place, &length, &tag, &kind, pem.size);
  if (form != V_ASN1_CONSTRUCTED || tag != V_ASN1_SEQUENCE || end - place != length) return {};
  const auto version = read_integer(place, end);
  if (!version || !BN_is_zero(version.get())) return {};
  auto modulus = read_integer(place, end);
  auto exponent = read_integer(place, end);
  return {.modulus = std::move(modulus), .exponent = std::move(exponent)};
}

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

}  // namespace

std::expected<std::string, std::string> fingerprint_of(const Secret& private_key) {
  // Not PEM_read_bio_PrivateKey, which takes a millisecond to find out what the first line says: each job has a key.
  const auto text = private_key.reveal();
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Pem pem;
  const bool read = PEM_read_bio(bio.get(), &pem.name, &pem.header, &pem.data, &pem.size) == 1;
  if (!read || std::string_view(pem.name) != PEM_STRING_RSA) return std::unexpected("it is no RSA key in PEM (PKCS#1)");
  const auto key = read_public_half(pem);
  if (!key.modulus || !key.exponent) return std::unexpected("it lacks a public half");

  constexpr std::array<unsigned char, 7> kAlgorithm{'s', 's', 'h', '-', 'r', 's', 'a'};
  std::vector<unsigned char> blob;
  append_string(blob, {kAlgorithm.begin(), kAlgorithm.end()});
  append_string(blob, mpint_of(*key.exponent));
  append_string(blob, mpint_of(*key.modulus));
  return fingerprint_of_blob(blob);
}

}  // namespace boruta::server
