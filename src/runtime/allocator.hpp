#pragma once

namespace boruta::runtime {

/// Keeps some MiB of what was freed for the next who needs as much: else the buffers of each piece that flows through
/// a tunnel are given back to the system and taken anew, which costs more than all that is done with them.
/// Call at the start of a program, before it has threads.
void keep_freed_buffers();

}  // namespace boruta::runtime
