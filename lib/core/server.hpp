// PostgreSQL as the core sees it: one observation, and the tasks that the core may give.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/time.hpp"
#include "core/types.hpp"

namespace repld {

enum class server_state {
    none,      // a witness has no server
    unknown,   // not looked yet, or it does not answer
    stopped,   // certainly dead: postmaster and every backend
    orphaned,  // the postmaster is dead, a backend may still live and commit
    starting,  // a postmaster runs and does not let anybody in yet
    standby,   // answered that it is in recovery
    primary    // answered that it is not in recovery, or a promotion is under way
};

struct server_observation {
    server_state state = server_state::unknown;
    // R15: timeline and end of the last valid record on disk; nothing when that is not certain.
    std::optional<wal_position> position;
    std::string position_unknown;  // why
    bool streaming = false;        // the walreceiver streams
    node_id upstream = 0;          // whom primary_conninfo names; 0: nobody (frozen)
    std::string reason;            // what is wrong with it, for people
};

// primary_conninfo emptied durably, walreceiver gone, then the position read (R14, R15).
struct freeze_server {};
// standby.signal on disk, postmaster and every backend gone, before `deadline` by fast stop, then
// immediate, then SIGKILL (section 5.3). Ends any other task.
struct fence_server {
    boot_time deadline{};
    std::string why;
};
// Up as a standby with no upstream. A server that was rewound and has not been up since cannot
// start alone: it streams from `upstream`, whose ballot is not below the promise (R18); 0: nobody
// may be named, and such a server stays down.
struct start_standby {
    node_id upstream = 0;
};
// The postmaster died under a lease that goes on: up again as the primary it was (on_crash =
// restart).
struct restart_server {
    boot_time deadline{};
};
// Writable on exactly this timeline (R26).
struct promote_server {
    timeline_id timeline = 0;
    boot_time deadline{};
};
// Points at `upstream` by reload; it was checked that the position is on its branch (R18).
struct follow_upstream {
    node_id upstream = 0;
};
// The position is beyond `fork`: back to the branch by pg_rewind or clone, as the policy allows.
struct rejoin_server {  // afterwards the server is up as a standby with no upstream
    node_id upstream = 0;
    lsn fork{};
    wal_position own{};
};

using server_task = std::variant<freeze_server, fence_server, start_standby, restart_server,
                                 promote_server, follow_upstream, rejoin_server>;

}  // namespace repld
