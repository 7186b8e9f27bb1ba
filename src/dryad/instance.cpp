#include "dryad/instance.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kInstanceFileBytes = 256;

}  // namespace

std::filesystem::path instance_file(const std::filesystem::path& state_dir) { return state_dir / "instance"; }

std::expected<std::optional<std::string>, std::string> read_instance(const std::filesystem::path& state_dir) {
  const auto file = instance_file(state_dir);
  if (std::error_code ignored; !std::filesystem::exists(file, ignored)) return std::optional<std::string>();
  const auto text = read_file(file, kInstanceFileBytes);
  if (!text) return std::unexpected(text.error());
  auto name = text->substr(0, text->find('\n'));
  const bool plain = std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7F && c != ':' && c != ','; });
  if (name.empty() || !plain) return std::unexpected(fmt::format("{}: no name of an agent in it", file.native()));
  return name;
}

}  // namespace boruta::dryad
