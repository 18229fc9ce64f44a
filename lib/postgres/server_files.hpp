// Signal files and history files that tell PostgreSQL what to be. Every function blocks on the
// disk.
#pragma once

#include <filesystem>

#include "core/result.hpp"
#include "core/types.hpp"

namespace repld::postgres {

// standby.signal is there and on disk. A spare file is renamed where a new one cannot be made (a
// full disk). Errors: io.
[[nodiscard]] result<void> put_standby_signal(const std::filesystem::path& data_directory);
// The spare is there and on disk. Errors: io.
[[nodiscard]] result<void> put_spare_signal(const std::filesystem::path& data_directory);

// R26: history files for the numbers between `current` and `wanted` (both excluded) that have none,
// so that the next promotion takes `wanted`. Errors: refused (`wanted` is not above `current`, has
// a history file already, or lies more than 1000 above), io.
[[nodiscard]] result<void> reserve_timelines(const std::filesystem::path& data_directory,
                                             timeline_id current, timeline_id wanted);
// Removes what reserve_timelines made: a server does not start as a standby below one. Errors: io.
[[nodiscard]] result<void> drop_reservations(const std::filesystem::path& data_directory);
// The highest timeline with a history file in pg_wal, placeholders left out; 0 for none.
[[nodiscard]] timeline_id newest_history(const std::filesystem::path& data_directory);
// Where timeline begins, by its history file. Errors: refused (no file), corrupt, io.
[[nodiscard]] result<lsn> timeline_begin(const std::filesystem::path& data_directory,
                                         timeline_id timeline);

}  // namespace repld::postgres
