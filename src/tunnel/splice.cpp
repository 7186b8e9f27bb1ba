#include "tunnel/splice.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace boruta::tunnel {
namespace {

using boost::system::error_code;

/// What a pipe should hold: what Linux grants everybody, and less where a user has many (pipe(7),
/// pipe-user-pages-soft). With 256 KiB, 64 streams carry two thirds as much.
constexpr std::array kPipeBytes{1024 * 1024, 256 * 1024};
/// Where the pipe holds less, less is moved at once.
constexpr std::size_t kMostMoved = kPipeBytes.front();
constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

Splice::~Splice() {
  if (in_ >= 0) ::close(in_);
  if (out_ >= 0) ::close(out_);
}

bool Splice::open() {
  if (in_ >= 0) return true;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  out_ = ends[0];
  in_ = ends[1];
  for (const int bytes : kPipeBytes) {
    if (::fcntl(in_, F_SETPIPE_SZ, bytes) > 0) break;
  }
  return true;
}

Task<std::expected<std::size_t, error_code>> Splice::move(Socket* from, Socket* to, bool* to_broke) {
  if (!open()) co_return std::unexpected(last_error());
  const auto taken = ::splice(from->native_handle(), nullptr, in_, nullptr, kMostMoved, kFlags);
  if (taken < 0) co_return std::unexpected(last_error());
  for (auto left = static_cast<std::size_t>(taken); left > 0;) {
    const auto given = ::splice(out_, nullptr, to->native_handle(), nullptr, left, kFlags);
    if (given > 0) {
      left -= static_cast<std::size_t>(given);
      continue;
    }
    auto error = last_error();
    if (error == asio::error::would_block) {
      const auto [broken] = co_await to->async_wait(Socket::wait_write, asio::as_tuple(asio::use_awaitable));
      error = broken;
    }
    if (!error) continue;
    *to_broke = true;
    co_return std::unexpected(error);
  }
  co_return static_cast<std::size_t>(taken);
}

}  // namespace boruta::tunnel
