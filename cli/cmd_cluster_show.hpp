// `replctl cluster show`: every node, the quorum, and what is wrong with what to do about it.
#pragma once

#include "session.hpp"

namespace repld::cli {

// Exit code: what the answering daemon says (`problems` when it saw some); also `problems` when the
// local daemon is down and another member answered.
[[nodiscard]] exit_code run_cluster_show(session& s);

}  // namespace repld::cli
