#include "app/init_tls.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <unistd.h>

#include "base/free_with.hpp"
#include "base/host_port.hpp"
#include "base/secret.hpp"
#include "runtime/files.hpp"

namespace boruta::app {
namespace {

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

struct Authority {
  Certificate certificate;
  Key key;
};

constexpr long kDay = 24L * 60 * 60;
constexpr long kAuthorityDays = 3'650;
/// What browsers and Apple take at most.
constexpr long kServerDays = 825;
/// The clocks of clients may be slow.
constexpr long kSlowClock = 60L * 60;
constexpr std::size_t kLargestFile = std::size_t{64} * 1024;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kForAll = 0644;

std::string text_in(BIO* bio) {
  const char* text = nullptr;
  const auto size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return text_in(bio.get());
}

Secret pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_secmem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return Secret(text_in(bio.get()));
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// All but extensions and signature.
Certificate blank(EVP_PKEY* key, const std::string& name, long days) {
  constexpr int kVersion3 = 2;
  constexpr std::size_t kSerialBytes = 16;
  Certificate made(X509_new());
  X509_set_version(made.get(), kVersion3);
  std::array<unsigned char, kSerialBytes> serial{};
  RAND_bytes(serial.data(), static_cast<int>(serial.size()));
  serial[0] &= 0x7FU;
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(
      BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get()));
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -kSlowClock);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), days * kDay);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return made;
}

std::expected<Authority, std::string> make_authority() {
  Authority made{.certificate = nullptr, .key = Key(EVP_EC_gen("P-256"))};
  made.certificate = blank(made.key.get(), "Boruta farm authority", kAuthorityDays);
  auto* certificate = made.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  const bool done = add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
                    X509_sign(certificate, made.key.get(), EVP_sha256()) != 0;
  if (!done) return std::unexpected("OpenSSL could not make the authority's certificate");
  return made;
}

std::expected<Authority, std::string> load_authority(const std::filesystem::path& directory) {
  const auto certificate_text = runtime::read_file(directory / "ca.pem", kLargestFile);
  if (!certificate_text) return std::unexpected(certificate_text.error());
  auto key_text = runtime::read_file(directory / "ca.key", kLargestFile);
  if (!key_text) return std::unexpected(key_text.error());
  const Secret key_pem(std::move(*key_text));
  const Bio certificate(BIO_new_mem_buf(certificate_text->data(), static_cast<int>(certificate_text->size())));
  const Bio key(BIO_new_mem_buf(key_pem.reveal().data(), static_cast<int>(key_pem.reveal().size())));
  Authority loaded{.certificate = Certificate(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
                   .key = Key(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
  if (!loaded.certificate || !loaded.key || X509_check_private_key(loaded.certificate.get(), loaded.key.get()) != 1) {
    return std::unexpected(fmt::format("{} and ca.key beside it do not belong together: move them away to begin anew",
                                       (directory / "ca.pem").string()));
  }
  return loaded;
}

std::vector<std::string> usual_hosts() {
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "::1"};
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') hosts.insert(hosts.begin(), name.data());
  return hosts;
}

/// "DNS:farm.example,IP:192.0.2.1"; the error names what is neither.
std::expected<std::string, std::string> alternative_names(const std::vector<std::string>& hosts) {
  std::vector<std::string> names;
  for (const auto& host : hosts) {
    const bool plain = !host.empty() && host.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789.-_:*") == std::string::npos;
    if (!plain) return std::unexpected(fmt::format("--host \"{}\" is neither a name nor an IP address", host));
    names.push_back(fmt::format("{}:{}", is_ip_literal(host) ? "IP" : "DNS", host));
  }
  return fmt::format("{}", fmt::join(names, ","));
}

std::expected<Certificate, std::string> certify(const Authority& authority, EVP_PKEY* key,
                                                const std::vector<std::string>& hosts) {
  const auto names = alternative_names(hosts);
  if (!names) return std::unexpected(names.error());
  auto made = blank(key, "Boruta server", kServerDays);
  auto* issuer = authority.certificate.get();
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
  const bool done = add_extension(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(made.get(), issuer, NID_key_usage, "critical,digitalSignature") &&
                    add_extension(made.get(), issuer, NID_ext_key_usage, "serverAuth") &&
                    add_extension(made.get(), issuer, NID_subject_key_identifier, "hash") &&
                    add_extension(made.get(), issuer, NID_authority_key_identifier, "keyid:always") &&
                    add_extension(made.get(), issuer, NID_subject_alt_name, *names) &&
                    X509_sign(made.get(), authority.key.get(), EVP_sha256()) != 0;
  if (!done) return std::unexpected(fmt::format("OpenSSL could not make a certificate for {}", *names));
  return made;
}

std::expected<void, std::string> write_pair(const std::filesystem::path& directory, const std::string& name,
                                            X509* certificate, EVP_PKEY* key) {
  const auto secret = pem_of(key);
  if (auto written = runtime::write_file_durably(directory / (name + ".key"), secret.reveal(), kOwnerOnly); !written) {
    return written;
  }
  return runtime::write_file_durably(directory / (name + ".pem"), pem_of(certificate), kForAll);
}

std::expected<Authority, std::string> find_or_make_authority(const std::filesystem::path& directory) {
  if (std::filesystem::exists(directory / "ca.pem") || std::filesystem::exists(directory / "ca.key")) {
    return load_authority(directory);
  }
  auto made = make_authority();
  if (!made) return made;
  if (auto written = write_pair(directory, "ca", made->certificate.get(), made->key.get()); !written) {
    return std::unexpected(written.error());
  }
  return made;
}

}  // namespace

std::expected<std::vector<std::string>, std::string> init_tls(const NewTls& wanted) {
  const auto hosts = wanted.hosts.empty() ? usual_hosts() : wanted.hosts;
  // Before anything is written.
  if (const auto names = alternative_names(hosts); !names) return std::unexpected(names.error());
  std::error_code error;
  std::filesystem::create_directories(wanted.directory, error);
  if (error) return std::unexpected(fmt::format("{}: {}", wanted.directory.string(), error.message()));
  const auto authority = find_or_make_authority(wanted.directory);
  if (!authority) return std::unexpected(authority.error());
  const Key key(EVP_EC_gen("P-256"));
  const auto certificate = certify(*authority, key.get(), hosts);
  if (!certificate) return std::unexpected(certificate.error());
  if (auto written = write_pair(wanted.directory, "server", certificate->get(), key.get()); !written) {
    return std::unexpected(written.error());
  }
  return hosts;
}

}  // namespace boruta::app
