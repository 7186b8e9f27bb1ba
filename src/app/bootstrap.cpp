#include "app/bootstrap.hpp"

#include "runtime/files.hpp"
#include "server/access.hpp"

namespace boruta::app {
namespace {

constexpr const char* kAdminName = "admin";
constexpr unsigned kOwnerOnly = 0600;

std::expected<void, std::string> write_token(const std::filesystem::path& data_dir, const Secret& token) {
  std::string text(token.reveal());
  text.push_back('\n');
  auto written = runtime::write_file_durably(data_dir / kAdminTokenFile, text, kOwnerOnly);
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
