#include "dryad/root_wire.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/limits.hpp"

namespace boruta::dryad::root {
namespace {

constexpr std::size_t kNumberBytes = 4;
constexpr std::size_t kTexts = 64;
/// A key with its comment, as a line.
constexpr std::size_t kKeyLineBytes = limits::kPublicKeyBytes + 1024;

/// Appends to what is sent: numbers have the highest byte first, texts their length before them.
class Writer {
 public:
  explicit Writer(std::uint8_t kind) { byte(kind); }

  void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void number(std::uint32_t value) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) byte(static_cast<std::uint8_t>(value >> shift));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  void texts(const std::vector<std::string>& values) {
    number(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) text(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Takes apart what came. What is asked for when something was wrong is empty; `whole` tells.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::uint8_t byte(std::uint8_t most) {
    const auto value = static_cast<std::uint8_t>(take(1));
    if (value > most) fault_ = true;
    return fault_ ? 0 : value;
  }
  std::uint32_t number() { return take(kNumberBytes); }
  std::string text(std::size_t most) {
    const auto size = number();
    if (size > most || size > left_.size()) fault_ = true;
    if (fault_) return {};
    std::string value(left_.substr(0, size));
    left_.remove_prefix(size);
    return value;
  }
  std::vector<std::string> texts(std::size_t most, std::size_t most_bytes) {
    const auto count = number();
    if (count > most) fault_ = true;
    std::vector<std::string> values;
    for (std::uint32_t i = 0; i < count && !fault_; ++i) values.push_back(text(most_bytes));
    return values;
  }
  /// Everything was there, and nothing is left.
  [[nodiscard]] bool whole() const { return !fault_ && left_.empty(); }

 private:
  std::uint32_t take(std::size_t size) {
    if (fault_ || left_.size() < size) {
      fault_ = true;
      return 0;
    }
    std::uint32_t value = 0;
    for (const char byte : left_.substr(0, size)) value = value << 8U | static_cast<unsigned char>(byte);
    left_.remove_prefix(size);
    return value;
  }

  std::string_view left_;
  bool fault_ = false;
};

/// The place of `T` in `Request`, which names it on the wire.
template <class T, std::size_t I = 0>
constexpr std::uint8_t kind_of() {
  if constexpr (std::is_same_v<T, std::variant_alternative_t<I, Request>>) {
    return I;
  } else {
    return kind_of<T, I + 1>();
  }
}

void put(Writer& to, const Prepare& prepare) { to.text(prepare.public_key); }
void put(Writer& to, const Grant& grant) { to.texts(grant.public_keys); }
void put(Writer& to, const PutInMaintenance& maintenance) { to.text(maintenance.message); }
void put(Writer& to, const Healthcheck& check) { to.byte(check.full ? 1 : 0); }
void put(Writer& to, const Act& act) { to.byte(static_cast<std::uint8_t>(act.action)); }
void put(Writer& to, const Cancel& cancel) { to.number(cancel.number); }
template <class Plain>
void put(Writer&, const Plain&) {
  static_assert(std::is_empty_v<Plain>);
}

void get(Reader& from, Prepare& prepare) { prepare.public_key = from.text(kKeyLineBytes); }
void get(Reader& from, Grant& grant) { grant.public_keys = from.texts(limits::kUserKeys, kKeyLineBytes); }
void get(Reader& from, PutInMaintenance& maintenance) { maintenance.message = from.text(kMessageBytes); }
void get(Reader& from, Healthcheck& check) { check.full = from.byte(1) == 1; }
void get(Reader& from, Act& act) {
  act.action = static_cast<agent::BoardAction>(from.byte(static_cast<std::uint8_t>(agent::BoardAction::kCurrent)));
}
void get(Reader& from, Cancel& cancel) { cancel.number = from.number(); }
template <class Plain>
void get(Reader&, Plain&) {
  static_assert(std::is_empty_v<Plain>);
}

/// Makes the alternative that `kind` names, and reads it.
template <std::size_t I = 0>
Request read_request(std::uint8_t kind, Reader& from) {
  if constexpr (I + 1 < std::variant_size_v<Request>) {
    if (kind != I) return read_request<I + 1>(kind, from);
  }
  std::variant_alternative_t<I, Request> body;
  get(from, body);
  return body;
}

}  // namespace

std::string encode(const Request& request) {
  const auto encoded = [](const auto& body) {
    Writer writer(kind_of<std::decay_t<decltype(body)>>());
    put(writer, body);
    return writer.take();
  };
  return std::visit(encoded, request);
}

std::expected<Request, std::string> parse_request(std::string_view bytes) {
  Reader reader(bytes);
  const auto kind = reader.byte(std::variant_size_v<Request> - 1);
  auto request = read_request(kind, reader);
  if (bytes.size() > kRequestBytes || !reader.whole()) {
    return std::unexpected(fmt::format("{} bytes that are no request", bytes.size()));
  }
  return request;
}

std::string encode(const Answer& answer) {
  Writer writer(static_cast<std::uint8_t>(answer.outcome));
  writer.text(answer.text);
  writer.number(answer.user_id);
  writer.byte(answer.standing ? 1 : 0);
  writer.texts(answer.host_keys);
  writer.byte(answer.milliamperes ? 1 : 0);
  if (answer.milliamperes) writer.number(static_cast<std::uint32_t>(*answer.milliamperes));
  return writer.take();
}

std::expected<Answer, std::string> parse_answer(std::string_view bytes) {
  Reader reader(bytes);
  Answer answer;
  answer.outcome = static_cast<Outcome>(reader.byte(static_cast<std::uint8_t>(Outcome::kFailed)));
  answer.text = reader.text(kAnswerBytes);
  answer.user_id = reader.number();
  answer.standing = reader.byte(1) == 1;
  answer.host_keys = reader.texts(kTexts, kKeyLineBytes);
  if (reader.byte(1) == 1) answer.milliamperes = static_cast<std::int32_t>(reader.number());
  if (!reader.whole()) return std::unexpected(fmt::format("{} bytes that are no answer", bytes.size()));
  return answer;
}

}  // namespace boruta::dryad::root
