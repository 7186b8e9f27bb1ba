#include "dryad/worker.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <sys/statvfs.h>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

OperationResult outcome(const std::expected<void, std::string>& done) {
  OperationResult result;
  if (!done) result.error = done.error();
  return result;
}

/// Sorts an ailment in; true if it is critical.
bool note(const std::expected<void, Ailment>& health, OperationResult& result) {
  if (health) return false;
  if (!health.error().critical) {
    result.warnings.push_back(health.error().text);
    return false;
  }
  result.error = health.error().text;
  return true;
}

std::expected<void, Ailment> check_space(const std::filesystem::path& dir) {
  struct statvfs info{};
  if (::statvfs(dir.c_str(), &info) != 0) {
    return std::unexpected(Ailment{.critical = true, .text = errno_text(dir, errno)});
  }
  return judge_free_space(std::uint64_t{info.f_bavail} * info.f_frsize);
}

}  // namespace

std::expected<void, Ailment> judge_free_space(std::uint64_t free_bytes) {
  if (free_bytes >= kLowFreeBytes) return {};
  return std::unexpected(Ailment{.critical = free_bytes < kCriticalFreeBytes,
                                 .text = fmt::format("only {} MiB are free on the worker's disk", free_bytes >> 20U)});
}

OperationResult Worker::run(const Operation& operation, const std::stop_token& stop) {
  return std::visit([&](const auto& body) { return on(body, stop); }, operation);
}

OperationResult Worker::on(const agent::Prepare& prepare, const std::stop_token& stop) {
  auto login = access_.prepare();
  OperationResult result;
  if (!login) {
    result.error = login.error();
    return result;
  }
  if (prepare.full_healthcheck) result = check_health(true, stop);
  if (result.error.empty()) {
    if (const auto ready = board_.ready(stop); !ready) result.error = ready.error();
  }
  if (!result.error.empty()) {
    // A worker that is not well keeps no way in.
    if (const auto ended = access_.end_job(); !ended) result.error += "; " + ended.error();
    return result;
  }
  result.username = std::move(login->username);
  result.private_key = std::move(login->private_key);
  return result;
}

OperationResult Worker::on(const agent::Grant& grant, const std::stop_token&) {
  return outcome(access_.grant(grant.public_keys));
}

OperationResult Worker::on(const agent::EndJob&, const std::stop_token&) { return outcome(access_.end_job()); }

OperationResult Worker::on(const agent::PutInMaintenance& maintenance, const std::stop_token& stop) {
  return outcome(board_.put_in_maintenance(maintenance.message, stop));
}

OperationResult Worker::on(const agent::Healthcheck& check, const std::stop_token& stop) {
  auto result = check_health(check.full, stop);
  result.cancelled = stop.stop_requested();
  return result;
}

OperationResult Worker::check_health(bool full, const std::stop_token& stop) {
  OperationResult result;
  if (note(check_space(state_dir_), result)) return result;
  if (const auto alive = access_.probe(); !alive) {
    result.error = alive.error();
    return result;
  }
  note(board_.healthcheck(full, stop), result);
  return result;
}

}  // namespace boruta::dryad
