#include "cli/host_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <sstream>

#include "cli/text.hpp"

namespace boruta::cli {
namespace {

std::string without_padding(std::string text) {
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::string to_base64(std::span<const unsigned char> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::vector<unsigned char>> from_base64(const std::string& text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::vector<unsigned char> bytes(text.size() / 4 * 3);
  const int size =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size) - (text.size() - without_padding(text).size()));
  return bytes;
}

/// "ssh-ed25519" and "ecdsa-sha2-nistp256" are ED25519 and ECDSA to people.
std::string name_of_type(std::string_view type) {
  if (type.starts_with("ssh-")) type.remove_prefix(4);
  std::string name(type.substr(0, type.find('-')));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

std::set<std::string> fingerprints_in(std::string_view text) {
  std::set<std::string> found;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (auto fingerprint = fingerprint_of_host_key(line)) found.insert(*std::move(fingerprint));
  }
  return found;
}

}  // namespace

std::optional<std::string> fingerprint_of_host_key(std::string_view line) {
  std::istringstream words{std::string(line)};
  std::vector<std::string> columns;
  for (std::string word; words >> word;) columns.push_back(std::move(word));
  const auto type = std::ranges::find_if(
      columns, [](const std::string& word) { return word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-"); });
  if (line.starts_with('#') || type == columns.end() || type + 1 == columns.end()) return std::nullopt;
  const auto blob = from_base64(*(type + 1));
  if (!blob) return std::nullopt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(blob->data(), blob->size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return std::nullopt;
  return fmt::format("{} SHA256:{}", name_of_type(*type), without_padding(to_base64(std::span(digest).first(size))));
}

std::optional<std::string> explain_host_keys(std::string_view worker, const std::vector<std::string>& expected,
                                             std::string_view offered) {
  const auto wanted = fingerprints_in(fmt::format("{}", fmt::join(expected, "\n")));
  const auto came = fingerprints_in(offered);
  const bool known = std::ranges::any_of(came, [&](const std::string& key) { return wanted.contains(key); });
  if (came.empty() || wanted.empty() || known) return std::nullopt;
  return fmt::format(
      "{} showed another SSH host key than its agent registered, so nothing was sent to it\n"
      "        expected  {}\n"
      "        came      {}\n"
      "        Either somebody stands between you and the worker, or its sshd has new keys. Tell an admin: if the "
      "keys\n"
      "        are new, `systemctl restart dryad` on the worker makes them known, and a new request gets them",
      printable(worker), fmt::join(wanted, "\n                  "), fmt::join(came, "\n                  "));
}

}  // namespace boruta::cli
