// What dryad's root part is sent, and what it answers. The input's first line says which, "request" or "answer"; the
// rest are the bytes. "key" is one line of authorized_keys.
#include "dryad/public_key.hpp"
#include "dryad/root_wire.hpp"
#include "oracle.hpp"

namespace boruta::dryad {
namespace {

using fuzz::check;

void take_request(std::string_view bytes) {
  const auto request = root::parse_request(bytes);
  if (!request) return;
  check(root::encode(*request) == bytes, "a request that is taken is written as it came");
  check(bytes.size() <= root::kRequestBytes, "a request that is taken is within its limit");
}

void take_answer(std::string_view bytes) {
  const auto answer = root::parse_answer(bytes);
  if (answer) check(root::encode(*answer) == bytes, "an answer that is taken is written as it came");
}

void take_key(std::string_view line) {
  const auto key = plain_public_key(line);
  if (!key) return;
  check(line.starts_with(*key), "a key that is taken is the line's own beginning", *key);
  check(key->find_first_of("\n\r\t\"") == std::string::npos, "a key that is taken is one plain line", *key);
  check(plain_public_key(*key) == *key, "a key that was taken is taken again", *key);
}

}  // namespace
}  // namespace boruta::dryad

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = boruta::fuzz::text_of(data, size);
  const auto which = boruta::fuzz::take_line(text);
  if (which == "request") boruta::dryad::take_request(text);
  if (which == "answer") boruta::dryad::take_answer(text);
  if (which == "key") boruta::dryad::take_key(text);
  return 0;
}
