#include "app/bootstrap.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "server/access.hpp"

namespace boruta::app {
namespace {

constexpr const char* kAdminName = "admin";
constexpr unsigned kOwnerOnly = 0600;

std::string failed(const std::filesystem::path& path, const char* what) {
  return fmt::format("{}: cannot be {}: {}", path.string(), what, std::strerror(errno));
}

std::expected<void, std::string> write_token(const std::filesystem::path& data_dir, const Secret& token) {
  std::string text(token.reveal());
  text.push_back('\n');
  auto written = write_file(data_dir / kAdminTokenFile, text, kOwnerOnly);
  wipe(text);
  return written;
}

Task<std::expected<void, std::string>> order(server::Coordinator* coordinator, farm::CommandBody body) {
  farm::Command command{.actor = {}, .body = std::move(body)};
  const auto done = co_await coordinator->submit(std::move(command));
  if (!done) co_return std::unexpected(message_of(done.error()));
  co_return std::expected<void, std::string>{};
}

bool has_user(const server::View& view, std::string_view name) { return view.farm().find_user(name) != nullptr; }

}  // namespace

std::expected<void, std::string> write_file(const std::filesystem::path& path, std::string_view content,
                                            unsigned mode) {
  const auto temporary = path.string() + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file < 0) return std::unexpected(failed(temporary, "made"));
  const bool written = ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                       ::fchmod(file, mode) == 0 && ::fsync(file) == 0;
  const bool closed = ::close(file) == 0;
  if (!written || !closed) return std::unexpected(failed(temporary, "written"));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return std::unexpected(failed(path, "replaced"));
  return {};
}

Task<std::expected<bool, std::string>> make_first_users(server::Coordinator* coordinator,
                                                        std::filesystem::path data_dir) {
  const auto reader = [](server::View& view) { return view.farm().users().empty(); };
  const auto first = co_await coordinator->read(reader);
  if (!first) co_return std::unexpected(message_of(first.error()));
  if (!*first) co_return false;
  // The file comes first: a crash in between leaves a token that opens nothing, and the next start makes another.
  const auto token = server::make_token();
  if (auto written = write_token(data_dir, token); !written) co_return std::unexpected(written.error());
  farm::CreateUser anonymous{.name = std::string(farm::kAnonymous), .role = farm::Role::kAdmin};
  if (auto made = co_await order(coordinator, std::move(anonymous)); !made) co_return std::unexpected(made.error());
  farm::CreateUser admin{.name = kAdminName, .role = farm::Role::kAdmin, .token_hash = server::hash_of(token)};
  if (auto made = co_await order(coordinator, std::move(admin)); !made) co_return std::unexpected(made.error());
  co_return true;
}

Task<std::expected<void, std::string>> add_admin_token(server::Coordinator* coordinator,
                                                       std::filesystem::path data_dir) {
  const auto reader = [](server::View& view) { return has_user(view, kAdminName); };
  const auto known = co_await coordinator->read(reader);
  if (!known) co_return std::unexpected(message_of(known.error()));
  const auto token = server::make_token();
  if (auto written = write_token(data_dir, token); !written) co_return std::unexpected(written.error());
  if (*known) {
    farm::CreateToken create{
        .role = farm::Role::kAdmin, .user = kAdminName, .name = "new-admin-token", .hash = server::hash_of(token)};
    co_return co_await order(coordinator, std::move(create));
  }
  farm::CreateUser create{.name = kAdminName, .role = farm::Role::kAdmin, .token_hash = server::hash_of(token)};
  co_return co_await order(coordinator, std::move(create));
}

}  // namespace boruta::app
