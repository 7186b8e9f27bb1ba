#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <unistd.h>
#include <vector>

#include "base/instant.hpp"
#include "dryad/access.hpp"
#include "dryad/access_key.hpp"
#include "dryad/processes.hpp"

namespace boruta::dryad {

struct PrivateAccessOptions {
  /// Everything lies below it; must exist.
  std::filesystem::path state_dir;
  std::string sshd = "/usr/sbin/sshd";
  /// IP literals that sshd listens on.
  std::vector<std::string> listen{"127.0.0.1"};
  /// 0: a free one is chosen once and kept in the state directory.
  std::uint16_t port = 0;
  /// How long killing the user's processes may take.
  Duration kill_limit = std::chrono::seconds(10);
  /// "NAME=VALUE" without blanks: what sessions find in their environment beside what they need.
  std::vector<std::string> environment;
};

/// An sshd of its own, run as the present user, who is also who users log in as: for trying Boruta out and for tests.
///
/// The sshd, its port and its host key outlive dryad. Sessions have HOME set to a job directory inside the state
/// directory, which Prepare makes anew. A session's processes are found in two ways: sshd is their subreaper, so that
/// daemons stay below it, and its SetEnv marks their environment, which tells them even when sshd died.
/// Nothing else of the present user's is ever touched.
class PrivateAccess final : public Access {
 public:
  /// `keys` must outlive this.
  PrivateAccess(PrivateAccessOptions options, KeySource& keys);

  std::expected<void, std::string> check() override;
  std::expected<Endpoint, std::string> start() override;
  std::expected<Login, std::string> prepare() override;
  std::expected<void, std::string> grant(const std::vector<std::string>& public_keys) override;
  std::expected<void, std::string> end_job() override;
  std::expected<void, std::string> probe() override;
  [[nodiscard]] std::optional<uid_t> user_id() const override { return ::geteuid(); }
  /// Without a job on, sshd goes too.
  void stop(bool job_on) override;

 private:
  std::expected<void, std::string> make_files();
  std::expected<void, std::string> keep_port(bool choose_anew);
  [[nodiscard]] std::string config_text() const;
  /// The pid of our living sshd, 0 if there is none.
  [[nodiscard]] pid_t running_sshd() const;
  std::expected<void, std::string> ensure_sshd();
  std::expected<void, std::string> spawn_sshd();
  std::expected<void, std::string> make_job_dir();
  [[nodiscard]] Pids session_processes() const;
  [[nodiscard]] std::string probe_address() const;

  PrivateAccessOptions options_;
  KeySource& keys_;
  std::filesystem::path dir_;
  std::filesystem::path config_;
  std::filesystem::path authorized_keys_;
  std::filesystem::path host_key_;
  std::filesystem::path job_dir_;
  std::string mark_;
  std::uint16_t port_ = 0;
};

}  // namespace boruta::dryad
