// The inside of local_server, shared by its server_*.cpp files and by nothing else.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/asio.hpp"
#include "platform/boottime.hpp"
#include "postgres/connection.hpp"
#include "postgres/postmaster.hpp"
#include "postgres/server.hpp"
#include "postgres/server_off_loop.hpp"
#include "postgres/server_position.hpp"
#include "postgres/server_turns.hpp"
#include "process/pidfd.hpp"

namespace repld::postgres {

// One life of a postmaster: a number used again has other ticks.
struct postmaster_life {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    bool operator==(const postmaster_life&) const = default;
};

struct local_server::state : std::enable_shared_from_this<local_server::state> {
    state(asio::any_io_executor e, server_settings s)
        : executor(std::move(e)), settings(std::move(s)) {}

    asio::any_io_executor executor;
    server_settings settings;
    disk_worker disk{};
    disk_worker copying;  // minutes of copying for a rewind, so that no fence waits behind it

    // The kept connection (server_link.cpp).
    turns link_turns{};
    std::unique_ptr<connection> link{};
    postmaster_life link_life{};  // of the last attempt to open it
    boot_time retry_at{};
    duration retry_pause{};
    std::optional<error> last_failure{};

    // Statements take turns; a connection that broke is replaced once within the call.
    task<result<row_set>> statement(std::string sql, duration limit);
    task<result<row_set>> statement_until(std::string sql, boot_time deadline);
    // What to connect with. Error: unreachable when no postmaster lives and nothing is configured.
    [[nodiscard]] result<conninfo> link_conninfo() const;

    // Looking (server_observe.cpp).
    position_memory memory{};
    std::string config_file{};      // of the last server that answered
    postmaster_life promoting{};    // told by us to leave recovery
    postmaster_life spare_ready{};  // spare file of standby.signal checked in this life
    bool scanning = false;

    task<observation> look(duration limit);
    task<result<observation>> answer(boot_time deadline);
    // Fills core.position or core.position_unknown, and timeline, of a standby.
    task<void> locate(observation& seen, boot_time deadline);
    task<result<timeline_id>> replayed_timeline(const observation& seen, boot_time deadline);
    void begin_scan(const observation& seen);
    [[nodiscard]] bool promotion_signalled(const postmaster_life& life) const;

    // Death of the postmaster (server_watch.cpp).
    std::function<void()> on_death{};
    postmaster_life watched{};
    std::uint64_t watch_number = 0;
    std::shared_ptr<asio::steady_timer> watch_stop{};
    void arm_watch(const postmaster_life& life);
    void stop_watching();

    // Steps of start_as_standby() and promote().
    // Makes the files say what the server shall be, starts it, waits until it answers.
    task<result<void>> start(std::function<result<void>()> prepare_files, duration limit);
    task<result<void>> wait_until_up(duration limit);
    task<result<void>> trigger_promotion(timeline_id current, timeline_id wanted,
                                         boot_time deadline);
    task<result<void>> wait_until_writable(boot_time deadline);

    // Signal files (server_files.hpp), off the event loop.
    task<result<void>> raise_standby_signal(duration limit);
    task<result<void>> keep_spare_signal(duration limit);

    void note(note_level level, std::string text) const {
        if (settings.note) settings.note(level, std::move(text));
    }
};

[[nodiscard]] inline duration until(boot_time deadline) noexcept {
    const auto left = deadline - platform::boot_now();
    return left > duration::zero() ? left : duration::zero();
}
[[nodiscard]] inline bool passed(boot_time deadline) noexcept {
    return platform::boot_now() >= deadline;
}

// Lets the event loop go on for a moment.
[[nodiscard]] inline task<void> pause_for(duration how_long) {
    asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
    co_await timer.async_wait(as_result);
}

[[nodiscard]] inline error time_is_up(std::string what, std::string detail = {}) {
    return error{errc::timed_out, "could not " + std::move(what) + " in time", std::move(detail)};
}

}  // namespace repld::postgres
