#include "server/client_limits.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

/// Somebody may mistype, or have a token that has just expired in ten jobs at once.
constexpr unsigned kFreeFailures = 10;
constexpr Duration kFirstWait = 1s;
constexpr Duration kLongestWait = 60s;
/// After so long without a bad token they are forgotten.
constexpr Duration kForgetAfter = 10min;

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Makes room for one more: the half that was quiet longest goes.
template <class Entry>
void make_room(std::unordered_map<std::string, Entry>& entries) {
  if (entries.size() < ClientLimits::kClients) return;
  std::vector<Instant> times;
  times.reserve(entries.size());
  for (const auto& [client, entry] : entries) times.push_back(entry.at);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  std::size_t surplus = entries.size() / 2;
  std::erase_if(entries, [&](const auto& entry) {
    if (surplus == 0 || entry.second.at > *middle) return false;
    --surplus;
    return true;
  });
}

}  // namespace

std::string client_of(std::string_view address) {
  namespace ip = boost::asio::ip;
  boost::system::error_code error;
  const auto parsed = ip::make_address(std::string(address), error);
  if (error || parsed.is_v4()) return std::string(address);
  const auto six = parsed.to_v6();
  if (six.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, six).to_string();
  auto bytes = six.to_bytes();
  constexpr std::size_t kNetworkBytes = 8;
  std::fill(bytes.begin() + kNetworkBytes, bytes.end(), std::uint8_t{0});
  return ip::address_v6(bytes).to_string() + "/64";
}

std::optional<Duration> ClientLimits::take_request(const std::string& client, Instant now) {
  if (options_.rate <= 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  if (!buckets_.contains(client)) make_room(buckets_);
  auto& bucket = buckets_.try_emplace(client, Bucket{.left = options_.burst, .at = now}).first->second;
  bucket.left = std::min(options_.burst, bucket.left + seconds_of(now - bucket.at) * options_.rate);
  bucket.at = now;
  if (bucket.left < 1) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>((1 - bucket.left) / options_.rate));
  }
  bucket.left -= 1;
  return std::nullopt;
}

std::optional<Duration> ClientLimits::take_bad_token(const std::string& address, Instant now) {
  const std::scoped_lock lock(mutex_);
  if (!failures_.contains(address)) make_room(failures_);
  auto& failures = failures_.try_emplace(address, Failures{.at = now}).first->second;
  if (now - failures.at >= kForgetAfter) failures = {};
  failures.at = now;
  if (now < failures.closed_until) return failures.closed_until - now;
  if (++failures.count <= kFreeFailures) return std::nullopt;
  constexpr unsigned kMostDoublings = 6;
  const auto wait = kFirstWait * (1U << std::min(failures.count - kFreeFailures - 1, kMostDoublings));
  failures.closed_until = now + std::min<Duration>(wait, kLongestWait);
  return failures.closed_until - now;
}

std::size_t ClientLimits::size() const {
  const std::scoped_lock lock(mutex_);
  return std::max(buckets_.size(), failures_.size());
}

}  // namespace boruta::server
