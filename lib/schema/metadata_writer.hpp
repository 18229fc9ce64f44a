// Keeps the tables of schema `repld` up to date. Used by the leader's daemon only.
//
// One connection of its own to the metadata database, opened when needed, dropped after any
// failure; what failed is written again, as a whole, by the next call. Nothing else follows from a
// failure here and nothing is retried inside: the caller's interval is the retry. Its commits are
// local, so they do not wait for synchronous standbys, and every statement has a limit on both
// sides. One call at a time; the object must outlive its calls. Not for several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "schema/rows.hpp"

namespace repld::schema {

struct writer_options {
    // Of the local server: a superuser, and dbname=<the metadata database>.
    std::string conninfo{};
    // Gets SELECT on the tables unless it has it already; a role that is not there is passed over.
    std::string reader_role{};
    // last_seen alone is written again only when it moved by this much: an idle cluster then costs
    // one row per interval, not one per node.
    duration last_seen_step = std::chrono::seconds(10);
    // Events that wait for a write; the oldest is dropped when one more comes.
    std::size_t events_max = 1000;
};

class metadata_writer {
public:
    explicit metadata_writer(writer_options options);
    ~metadata_writer();
    metadata_writer(const metadata_writer&) = delete;
    metadata_writer& operator=(const metadata_writer&) = delete;

    // Creates the schema or brings it to the version of this program, in one transaction. write()
    // does this too, once per connection; a caller needs migrate() only to know early. Errors:
    // refused (the schema is newer than this program, belongs to a role that is no superuser, or
    // the server is a standby; nothing was written), timed_out, unreachable, postgres; internal
    // when another call is under way.
    [[nodiscard]] task<result<void>> migrate(duration limit);

    // One transaction with what changed since the last successful write, and with the waiting
    // events. The row of `snapshot.status` of `self` is written every time: the write is a probe of
    // the disk. Errors as migrate(). After a time-out the write may still have taken effect; that
    // is harmless, no event is written twice.
    [[nodiscard]] task<result<void>> write(node_id self, snapshot now, duration limit);

    // Queued until a write() has succeeded.
    void add_event(event_row event);

    [[nodiscard]] std::size_t waiting_events() const noexcept;
    // Since the start: pushed out of a full queue, or refused by the server.
    [[nodiscard]] std::uint64_t lost_events() const noexcept;

    // Ends the connection, at once; for a daemon that leads no longer. Events stay queued. Not
    // while a call is under way (then it is done when the call ends).
    void disconnect();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace repld::schema
