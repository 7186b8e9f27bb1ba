#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/secret.hpp"

namespace boruta::dryad {

/// What the server must know to let users reach the worker's sshd.
struct Endpoint {
  std::uint16_t ssh_port = 0;
  /// Where this machine itself reaches that sshd: an IP literal.
  std::string local_address = "127.0.0.1";
  /// "ssh-ed25519 AAAA…", one for each of sshd's host keys.
  std::vector<std::string> host_keys;
  /// Whether what the last Prepare made was found to be there still.
  bool standing = false;
};

/// How a prepared worker is entered.
struct Login {
  std::string username;
  Secret private_key;
};

/// Lets a job's user in, and takes everything of the user away again. Errors are texts for people.
/// Threads: one operation at a time; all block, each for a bounded time.
class Access {
 public:
  virtual ~Access() = default;

  /// Whether this machine and the config allow this mode; changes nothing.
  virtual std::expected<void, std::string> check() = 0;
  /// Once, before anything but `check`: takes up what an earlier dryad left, ends no job.
  virtual std::expected<Endpoint, std::string> start() = 0;
  /// Ends what the last user left, makes the account anew and lets in who has the key returned.
  virtual std::expected<Login, std::string> prepare() = 0;
  /// Lets in who has one of `public_keys`, and no longer who has the key of `prepare`. None given: nothing changes.
  virtual std::expected<void, std::string> grant(const std::vector<std::string>& public_keys) = 0;
  /// All of the user's processes, files and keys go. Repeating it is fine.
  virtual std::expected<void, std::string> end_job() = 0;
  /// Whether sshd answers.
  virtual std::expected<void, std::string> probe() = 0;
  /// As whom a job's user works on this machine, if there is such a user at present. Thread: any.
  [[nodiscard]] virtual std::optional<uid_t> user_id() const { return std::nullopt; }
  /// The agent ends. With a job on the worker, users must still get in.
  virtual void stop(bool job_on) = 0;
};

/// The content of authorized_keys for `public_keys`. Error: one that is not a single printable line of moderate size,
/// or names no type of key; it could smuggle in more than it seems.
std::expected<std::string, std::string> authorized_keys_text(const std::vector<std::string>& public_keys);

/// The public keys in files named by `paths`, without their comments; files that can't be read are left out.
[[nodiscard]] std::vector<std::string> read_host_keys(const std::vector<std::string>& paths);

/// Connects to `address` (an IP literal) and waits at most five seconds for an SSH banner.
std::expected<void, std::string> probe_ssh(const std::string& address, std::uint16_t port);

}  // namespace boruta::dryad
