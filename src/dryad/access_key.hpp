#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/secret.hpp"

namespace boruta::dryad {

/// The key pair that lets a job's owner in.
struct AccessKey {
  /// PEM, PKCS#1: "-----BEGIN RSA PRIVATE KEY-----".
  Secret private_pem;
  /// One line of authorized_keys without a comment: "ssh-rsa AAAA…".
  std::string public_line;
};

/// Makes an RSA key of 2048 bits. Takes 50 to 500 ms. Aborts if OpenSSL can't: there is no random source then.
[[nodiscard]] AccessKey make_access_key();

/// Where keys come from.
class KeySource {
 public:
  virtual ~KeySource() = default;
  virtual AccessKey take() = 0;
};

/// Keeps `size` keys in stock, made at leisure by a thread of the lowest priority; each is given out once.
/// Threads: `take` from any. It makes a key itself only when the stock is empty.
class KeyPool final : public KeySource {
 public:
  explicit KeyPool(std::size_t size);
  KeyPool(const KeyPool&) = delete;
  KeyPool& operator=(const KeyPool&) = delete;
  /// Waits for the key being made.
  ~KeyPool() override;

  AccessKey take() override;
  [[nodiscard]] std::size_t stock() const;

 private:
  void fill();

  const std::size_t size_;
  mutable std::mutex mutex_;
  std::condition_variable taken_;
  std::deque<AccessKey> keys_;
  bool stopping_ = false;
  std::thread filler_;
};

/// The same few keys again and again, made at start: simulated workers alone. Thread: one.
class RepeatedKeys final : public KeySource {
 public:
  explicit RepeatedKeys(std::size_t count);
  AccessKey take() override;

 private:
  std::vector<AccessKey> keys_;
  std::size_t next_ = 0;
};

}  // namespace boruta::dryad
