// What daemons say to each other about the register. Plain structs; protocol/message_codec.hpp puts
// them on the wire.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/cluster_state.hpp"

namespace repld {

// R19: asks without binding anybody.
struct prevote_request {
    nonce attempt = 0;
    wal_position position{};
};

struct prevote_answer {
    nonce attempt = 0;
    bool would = false;
    std::string reason;  // why not
    ballot promised{};   // lets the candidate choose a term above it
    // The answering node's own candidacy: its position when known, and whether it could lead.
    std::optional<wal_position> position;
    bool could_lead = false;
};

struct prepare {
    ballot under{};
    nonce attempt = 0;
    wal_position position{};
    nonce token = 0;  // R7: proves to be the holder of the lease; 0: none
};

struct promise_answer {
    ballot under{};
    nonce attempt = 0;
    bool promised = false;
    std::string reason;    // of a refusal
    ballot promised_to{};  // what this node has promised by now
    std::optional<accepted_value> accepted;
    std::optional<wal_position> position;
};

// What a leader says of its own server with each round.
struct leader_report {
    bool writable = false;  // promoted and open for writes
    wal_position end{};     // its WAL end at sending
};

struct accept {
    ballot under{};
    nonce attempt = 0;
    round_number round = 0;
    nonce token = 0;
    cluster_state value;
    leader_report report;
};

struct heartbeat {
    ballot under{};
    nonce attempt = 0;
    round_number round = 0;
    nonce token = 0;
    version_number version = 0;  // newest value the leader has committed
    leader_report report;
};

// Answers accept and heartbeat: a grant of the lease (R6) or the refusal of it.
struct grant_answer {
    ballot under{};
    round_number round = 0;
    bool granted = false;
    std::string reason;       // of a refusal
    duration figure{};        // for how long it granted
    ballot promised_to{};     // higher than `under`: prepare again (R11)
    ballot accepted_under{};  // what this node has accepted by now
    version_number version = 0;
    node_id accepted_leader = 0;
};

// R10: the sender's PostgreSQL is certainly dead under this ballot, and never again writes under
// it.
struct release {
    ballot closed{};
};

// R24: a node whose state went back asks what the others remember of it, and what they have
// promised.
struct readmit_request {
    nonce attempt = 0;
};

struct readmit_answer {
    nonce attempt = 0;
    std::uint64_t boot = 0;        // of the asking node, as remembered
    std::uint64_t generation = 0;  // likewise
    ballot promised{};             // by the answering node
    duration longest_lease{};      // that the answering node knows of
};

using message = std::variant<prevote_request, prevote_answer, prepare, promise_answer, accept,
                             heartbeat, grant_answer, release, readmit_request, readmit_answer>;

// Travels with every message (R24).
struct envelope {
    node_id from = 0;
    std::string cluster;
    std::uint64_t system_identifier = 0;
    nonce identity = 0;
    std::uint64_t boot = 0;
    std::uint64_t generation = 0;  // of the sender's durable state
    nonce start = 0;               // of the sender's daemon start
    // The receiver as the sender knows it: generation, daemon start and its number.
    std::uint64_t remembers = 0;
    std::uint64_t remembers_boot = 0;
    nonce remembers_start = 0;
};

}  // namespace repld
