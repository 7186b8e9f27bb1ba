#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <unistd.h>

#include "dryad/check.hpp"
#include "dryad/config.hpp"
#include "dryad/config_file.hpp"
#include "dryad/daemon.hpp"
#include "dryad/enroll.hpp"
#include "dryad/exit_codes.hpp"
#include "dryad/files.hpp"
#include "dryad/options.hpp"
#include "dryad/random_text.hpp"
#include "runtime/allocator.hpp"
#include "runtime/log.hpp"

namespace {

using namespace boruta;
using namespace boruta::dryad;

int write_first_config(const std::filesystem::path& file, bool root) {
  if (auto made = make_directories(file.parent_path(), 0755); file.has_parent_path() && !made) {
    fmt::print(stderr, "dryad: {}\n", made.error());
    return kExitConfig;
  }
  if (auto written = write_file_durably(file, first_config(random_uuid(), root), 0644); !written) {
    fmt::print(stderr, "dryad: there is no config, and none can be written: {}\n       (--config FILE names another)\n",
               written.error());
    return kExitConfig;
  }
  fmt::print(stderr, "dryad: wrote a first config to {}: look through it, then start dryad again\n", file.native());
  return kExitOk;
}

int run_with_config(const Options& options) {
  const bool root = ::geteuid() == 0;
  std::error_code ignored;
  if (!std::filesystem::exists(options.config, ignored) && !options.check) {
    return write_first_config(options.config, root);
  }
  const auto file = load_config(options);
  if (!file) {
    for (const auto& line : file.error()) fmt::print(stderr, "dryad: {}\n", line);
    return kExitConfig;
  }
  if (options.check) return run_check(*file, options.config);
  runtime::start_log(runtime::LogLevel::kInfo, file->config.log_format == ConfigLogFormat::kJson
                                                   ? runtime::LogFormat::kJson
                                                   : runtime::LogFormat::kText);
  return run_daemon(options, *file);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = parse_options(argc, argv);
    if (!options) return options.error();
    // A log that nobody reads any more must not end the worker's agent.
    (void)std::signal(SIGPIPE, SIG_IGN);
    runtime::keep_freed_buffers();
    if (options->enroll) return run_enroll(*options->enroll, *options);
    if (!options->simulate) return run_with_config(*options);
    runtime::start_log(runtime::LogLevel::kInfo, runtime::LogFormat::kText);
    return run_simulation(*options->simulate, *options);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "dryad: %s\n", error.what());
    return kExitFault;
  }
}
