#include "superviser/call_metadata.hpp"

#include <boost/asio/ip/address.hpp>

#include <charconv>

#include "base/bearer_token.hpp"

namespace boruta::superviser {
namespace {

std::string percent_decoded(std::string_view text) {
  constexpr int kHexadecimal = 16;
  std::string decoded;
  while (!text.empty()) {
    unsigned char byte = 0;
    const bool escaped = text.size() >= 3 && text.front() == '%' &&
                         std::from_chars(text.data() + 1, text.data() + 3, byte, kHexadecimal).ptr == text.data() + 3;
    decoded += escaped ? static_cast<char>(byte) : text.front();
    text.remove_prefix(escaped ? 3 : 1);
  }
  return decoded;
}

}  // namespace

std::string peer_address(std::string_view peer) {
  namespace ip = boost::asio::ip;
  const auto scheme = peer.find(':');
  const auto port = peer.rfind(':');
  if (scheme == std::string_view::npos || port == scheme) return {};
  auto host = percent_decoded(peer.substr(scheme + 1, port - scheme - 1));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = ip::make_address(host, error);
  if (error) return {};
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

std::optional<Secret> token_in(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return std::nullopt;
  return bearer_token(std::string_view(found->second.data(), found->second.size()));
}

}  // namespace boruta::superviser
