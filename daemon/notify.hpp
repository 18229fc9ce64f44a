// Tells systemd how this service is (sd_notify(3)), when systemd started it. One datagram, never
// blocks.
#pragma once

#include <string>

namespace repld {

// "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=...". Nothing happens without NOTIFY_SOCKET.
void notify_systemd(const std::string& state);

}  // namespace repld
