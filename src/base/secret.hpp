#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace boruta {

/// Overwrites `text` in a way that the compiler keeps, then empties it.
void wipe(std::string& text) noexcept;

/// Text that is never logged, compared for order or formatted, and is wiped when it goes: a private key, a token.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(text_); }

  /// The text itself: only for the place that must write it out.
  [[nodiscard]] std::string_view reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace boruta
