#pragma once

#include "runtime/subprocess.hpp"

/// The programs that the agent runs.
namespace boruta::dryad {

using runtime::describe;
using runtime::has_program;
using runtime::Program;
using runtime::ProgramEnd;
using runtime::ProgramResult;
using runtime::run_or_say_why;
using runtime::run_program;

}  // namespace boruta::dryad
