// What local_server is told at construction, and what it finds when it looks at the server.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/server.hpp"
#include "core/types.hpp"

namespace repld::postgres {

enum class note_level { debug, info, warning, error };
// One-line texts without secrets. May be empty. Called on the event loop; must not block or throw.
using note_sink = std::function<void(note_level, std::string)>;

struct server_settings {
    std::filesystem::path data_directory{};
    std::filesystem::path bin_directory{};
    // Superuser, local. Without it: what postmaster.pid says (socket directory and port).
    std::optional<std::string> local_conninfo{};
    // Shell command lines in place of pg_ctl; empty: pg_ctl, or signals. `restart`, `reload` and
    // `promote` are kept for callers that show or run them: this class reloads and promotes by
    // signal, which is what those commands end in, only later.
    struct service_commands {
        std::string start{};
        std::string stop{};
        std::string restart{};
        std::string reload{};
        std::string promote{};
    } service{};
    // Where a server started by pg_ctl writes what it says before (or without) its log collector.
    // Empty: "<data_directory>.log", beside the data directory, so that neither base backups nor
    // pg_rewind carry it; in the data directory when that place is not writable.
    std::filesystem::path log_file{};
    note_sink note{};
};

// A row of pg_stat_replication. Positions are invalid (0) where the server says NULL.
struct sender_facts {
    pid_t pid = 0;
    std::string application_name{};
    std::string state{};  // "streaming", "catchup", "backup", ...
    std::string client_address{};
    lsn sent{};
    lsn flush{};
    lsn replay{};
    std::string sync_state{};
    int sync_priority = 0;
    bool operator==(const sender_facts&) const = default;
};

struct slot_facts {
    std::string name{};
    bool active = false;
    bool physical = true;
    lsn restart{};
    std::string wal_status{};  // "reserved", "extended", "unreserved", "lost"; may be empty
    bool operator==(const slot_facts&) const = default;
};

struct observation {
    // What the core decides with; `upstream` is left 0, since only the caller knows node ids.
    server_observation core{};

    // All below is of the answer that made core.state standby or primary; zero or empty otherwise,
    // except postmaster.
    pid_t postmaster = 0;    // 0: none lives
    int server_version = 0;  // 150004
    bool in_recovery = false;
    bool promotion_under_way = false;  // in recovery, and told to leave it
    lsn receive{};                     // pg_last_wal_receive_lsn
    lsn replay{};                      // pg_last_wal_replay_lsn
    lsn wal_end{};                     // primary: flushed; standby: the larger of the two above
    lsn insert{};                      // primary: pg_current_wal_insert_lsn
    timeline_id timeline = 0;          // primary: current; standby: of the last replayed record
    timeline_id received_timeline = 0;
    std::string primary_conninfo{};  // may hold a password: never log it
    std::string primary_slot_name{};
    pid_t walreceiver = 0;
    std::string walreceiver_status{};  // "streaming", "waiting", ...
    std::string sender_host{};
    int sender_port = 0;
    bool replay_paused = false;
    std::optional<double> last_replay_age_seconds{};  // since the commit time of the last replayed
    std::vector<sender_facts> senders{};
    std::vector<slot_facts> slots{};

    std::uint64_t system_identifier = 0;
    bool wal_log_hints = false;
    bool data_checksums = false;
    std::uint64_t wal_segment_size = 0;  // bytes
    int max_wal_senders = 0;
    int max_replication_slots = 0;
    std::string wal_level{};
    std::string synchronous_standby_names{};
    std::string restore_command{};
};

// A promotion that succeeded.
struct promotion {
    timeline_id timeline = 0;
    lsn fork{};     // where the timeline begins: the switch point in its history file
    lsn wal_end{};  // flushed, right after the promotion
};

// Where a standby streams from; empty: nowhere.
struct upstream_target {
    std::string conninfo{};
    std::string slot{};
};

enum class stop_mode { fast, immediate };

}  // namespace repld::postgres
