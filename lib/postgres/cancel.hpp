// Cancelling a statement that ran out of time.
#pragma once

#include <libpq-fe.h>

namespace repld::postgres {

// Asks the server to cancel what `connection` is doing, on a connection of its own. PQcancel
// blocks, for minutes when the host swallows packets, so it runs on a thread that nobody waits for.
// At most four run at a time; a request above that is dropped. No guarantee: the statement may have
// ended, or may never hear of it.
void cancel_in_background(PGconn* connection) noexcept;

}  // namespace repld::postgres
