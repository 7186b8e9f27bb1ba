#include <fmt/format.h>

#include <array>

#include "dryad/board.hpp"
#include "dryad/subprocess.hpp"

namespace boruta::dryad {
namespace {

/// Of a health check's program: something that an admin should know, and no more.
constexpr int kWarningCode = 1;

/// Programs from the config. Exit code 0 is success; of a health check 1 is a warning, anything else is critical.
/// The last line on standard error is the reason that people read.
class ExecBoard final : public Board {
 public:
  explicit ExecBoard(BoardOptions options) : options_(std::move(options)) {}

  std::expected<void, std::string> put_in_maintenance(const std::string& message,
                                                      const std::stop_token& stop) override {
    if (options_.maintenance.empty()) return {};
    return run_or_say_why(program(options_.maintenance, message), stop);
  }

  std::expected<void, std::string> ready(const std::stop_token& stop) override {
    if (options_.prepare.empty()) return {};
    return run_or_say_why(program(options_.prepare, ""), stop);
  }

  std::expected<void, Ailment> healthcheck(bool full, const std::stop_token& stop) override {
    const auto& argv = full && !options_.healthcheck_full.empty() ? options_.healthcheck_full : options_.healthcheck;
    if (argv.empty()) return {};
    const auto checker = program(argv, "");
    const auto result = run_program(checker, stop);
    if (!result) return std::unexpected(Ailment{.critical = true, .text = result.error()});
    if (result->ok()) return {};
    const bool warning = result->end == ProgramEnd::kExited && result->code == kWarningCode;
    return std::unexpected(Ailment{.critical = !warning, .text = describe(checker, *result)});
  }

 private:
  [[nodiscard]] Program program(const std::vector<std::string>& argv, const std::string& message) const {
    // The environment ends at a zero byte, and so would the message.
    return {.argv = argv, .environment = {"BORUTA_MESSAGE=" + message}, .limit = options_.timeout};
  }

  BoardOptions options_;
};

}  // namespace

MadeBoard make_exec_board(const BoardOptions& options) {
  using Named = std::pair<const char*, const std::vector<std::string>*>;
  const std::array programs{Named{"maintenance", &options.maintenance}, Named{"prepare", &options.prepare},
                            Named{"healthcheck", &options.healthcheck},
                            Named{"healthcheck_full", &options.healthcheck_full}};
  bool any = false;
  for (const auto& [name, argv] : programs) {
    any = any || !argv->empty();
    if (!argv->empty() && argv->front().find('/') == std::string::npos && !has_program(argv->front())) {
      return std::unexpected(fmt::format("board.{}: there is no program \"{}\"", name, argv->front()));
    }
  }
  if (!any)
    return std::unexpected(
        "board.driver = \"exec\" needs at least one of board.maintenance, board.prepare, "
        "board.healthcheck and board.healthcheck_full");
  return std::make_unique<ExecBoard>(options);
}

}  // namespace boruta::dryad
