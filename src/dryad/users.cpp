#include "dryad/users.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace boruta::dryad {
namespace {

constexpr uid_t kFirstUserUid = 1000;
constexpr uid_t kNobody = 65534;
/// Of utmp, which sets the limit for useradd.
constexpr std::size_t kNameBytes = 32;

using Lookup = std::expected<std::optional<UserAccount>, std::string>;

/// `look` is getpwnam_r or getpwuid_r with its key bound.
template <class Look>
Lookup look_up(Look look) {
  std::vector<char> buffer(std::size_t{16} * 1024);
  for (;;) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = look(&entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < std::size_t{1024} * 1024) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    // Some name services say "not found" with an error code.
    if (found == nullptr && (error == 0 || error == ENOENT || error == ESRCH)) return std::optional<UserAccount>();
    if (found == nullptr) return std::unexpected(std::generic_category().message(error));
    return UserAccount{.name = entry.pw_name,
                       .uid = entry.pw_uid,
                       .gid = entry.pw_gid,
                       .comment = entry.pw_gecos,
                       .home = entry.pw_dir,
                       .shell = entry.pw_shell};
  }
}

}  // namespace

Lookup find_user(const std::string& name) {
  return look_up([&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
}

Lookup find_user(uid_t uid) {
  return look_up([&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwuid_r(uid, entry, buffer, size, found);
  });
}

std::expected<bool, std::string> has_group(const std::string& name) {
  std::vector<char> buffer(std::size_t{16} * 1024);
  for (;;) {
    group entry{};
    group* found = nullptr;
    const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < std::size_t{1024} * 1024) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found != nullptr || error == 0 || error == ENOENT || error == ESRCH) return found != nullptr;
    return std::unexpected(std::generic_category().message(error));
  }
}

std::expected<UserAccount, std::string> present_user() {
  auto found = find_user(::geteuid());
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::unexpected(fmt::format("uid {} has no account", ::geteuid()));
  return **std::move(found);
}

bool is_user_uid(uid_t uid) { return uid >= kFirstUserUid && uid != kNobody && uid != static_cast<uid_t>(-1); }

bool refuses_logins(const std::string& shell) { return shell.ends_with("/nologin") || shell.ends_with("/false"); }

bool is_user_name(const std::string& name) {
  const auto lower = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (name.empty() || name.size() > kNameBytes || !lower(name.front())) return false;
  return std::ranges::all_of(name, [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace boruta::dryad
