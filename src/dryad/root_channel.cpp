#include "dryad/root_channel.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace boruta::dryad::root {
namespace {

constexpr std::size_t kLengthBytes = 4;

using Length = std::array<char, kLengthBytes>;

/// Room for one descriptor beside the bytes.
union Control {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int))];
};

Length length_of(std::string_view bytes) {
  Length length{};
  auto size = bytes.size();
  for (auto byte = length.rbegin(); byte != length.rend(); ++byte, size >>= 8U) *byte = static_cast<char>(size & 0xFFU);
  return length;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int socket, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

/// The first byte carries the descriptor.
bool send_first(int socket, const Length& length, int descriptor) {
  iovec piece{const_cast<char*>(length.data()), 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  Control control{};
  if (descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  ssize_t sent = 0;
  do sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == 1;
}

bool receive_first(int socket, char* byte, runtime::Descriptor& descriptor) {
  iovec piece{byte, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  // Not the space, in which two would fit: of more than one the kernel closes the rest.
  message.msg_controllen = CMSG_LEN(sizeof(int));
  ssize_t got = 0;
  do got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got != 1) return false;
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    descriptor = runtime::Descriptor(fd);
  }
  return true;
}

}  // namespace

bool send_frame(int socket, std::string_view bytes, int descriptor) {
  const auto length = length_of(bytes);
  return send_first(socket, length, descriptor) && send_all(socket, {length.data() + 1, length.size() - 1}) &&
         send_all(socket, bytes);
}

std::expected<std::optional<Frame>, std::string> receive_frame(int socket, std::size_t limit) {
  Frame frame;
  Length length{};
  if (!receive_first(socket, length.data(), frame.descriptor) ||
      !receive_all(socket, length.data() + 1, length.size() - 1)) {
    return std::nullopt;
  }
  std::size_t size = 0;
  for (const char byte : length) size = size << 8U | static_cast<unsigned char>(byte);
  if (size == 0 || size > limit) {
    return std::unexpected(fmt::format("a frame of {} bytes; 1 to {} are allowed", size, limit));
  }
  frame.bytes.resize(size);
  if (!receive_all(socket, frame.bytes.data(), size)) return std::nullopt;
  return frame;
}

}  // namespace boruta::dryad::root
