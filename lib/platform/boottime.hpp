// The clock that leases use, and the one that leases only distrust.
#pragma once

#include "core/time.hpp"

namespace repld::platform {

// CLOCK_BOOTTIME of this host: goes on while the host sleeps, is never set, means nothing
// elsewhere.
[[nodiscard]] boot_time boot_now() noexcept;

// CLOCK_REALTIME since 1970. Only its advance is compared with that of boot_now(), to find a clock
// that jumped (R12); no decision rests on the value.
[[nodiscard]] duration realtime_since_epoch() noexcept;

}  // namespace repld::platform
