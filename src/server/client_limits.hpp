#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/instant.hpp"

namespace boruta::server {

/// Which client an address stands for: IPv6 addresses of one network (/64) are one, and an IPv4 address mapped into
/// IPv6 is that IPv4 address.
[[nodiscard]] std::string client_of(std::string_view address);

/// How much each client has asked for of late, and how often with a bad token. Remembers a bounded number of clients:
/// of more, those that were quiet longest are forgotten.
/// Threads: any.
class ClientLimits {
 public:
  static constexpr std::size_t kClients = 10'000;

  struct Options {
    /// Requests a second that a client may keep up; 0: any number.
    double rate = 0;
    /// So many at once, after a pause.
    double burst = 0;
  };

  explicit ClientLimits(Options options) : options_(options) {}

  /// Takes one request of `client` (an address, or a user's name). How long it must wait first; nothing: it may.
  [[nodiscard]] std::optional<Duration> take_request(const std::string& client, Instant now);
  /// `address` has shown a token that opens nothing. The first few are only counted; from then on: for how long the
  /// next bad one is not worth sending, twice as long each time, up to a minute.
  [[nodiscard]] std::optional<Duration> take_bad_token(const std::string& address, Instant now);

  [[nodiscard]] std::size_t size() const;

 private:
  struct Bucket {
    double left = 0;
    Instant at{};
  };
  struct Failures {
    unsigned count = 0;
    Instant at{};
    Instant closed_until{};
  };

  Options options_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
  std::unordered_map<std::string, Failures> failures_;
};

}  // namespace boruta::server
