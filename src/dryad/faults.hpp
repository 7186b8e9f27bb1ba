#pragma once

namespace boruta::dryad {

/// How simulated workers misbehave.
enum class Fault : unsigned char { kNone, kFail, kHang };

struct Faults {
  Fault prepare = Fault::kNone;
  Fault end_job = Fault::kNone;
  Fault maintenance = Fault::kNone;
  /// No heartbeats.
  bool silent = false;
};

}  // namespace boruta::dryad
