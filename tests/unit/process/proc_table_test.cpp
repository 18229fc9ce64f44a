#include "process/proc_table.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "catch.hpp"
#include "process/child.hpp"
#include "temporary_directory.hpp"

using namespace repld;
using namespace repld::process;

namespace {

bool contains(const std::vector<process_info>& list, pid_t pid) {
    return std::any_of(list.begin(), list.end(), [&](const auto& p) { return p.pid == pid; });
}

result<child> start(const std::filesystem::path& cwd, std::vector<std::string> argv) {
    child::parts parts;
    parts.argv = std::move(argv);
    parts.working_dir = cwd;
    return child::spawn(parts);
}

}  // namespace

TEST_CASE("a stat line with a hostile program name is understood") {
    const auto p = parse_stat(
        "4711 (a) S 1 (b) Z 17 4711 4711 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 987654 0 0\n");
    REQUIRE(p);
    CHECK(p->pid == 4711);
    CHECK(p->comm == "a) S 1 (b");
    CHECK(p->state == process_state::zombie);
    CHECK(p->parent == 17);
    CHECK(p->start_ticks == 987654);
}

TEST_CASE("damaged stat lines are refused") {
    for (const char* text : {"", "1", "1 (a", "1 (a)", "1 (a) S",
                             "x (a) S 1 2 3 4 5 6 7 8 9 0 1 2 3 "
                             "4 5 6 7 8 9 0",
                             ") (", "(a) S 1", "1 (a) S one 2 3"}) {
        CHECK_FALSE(parse_stat(text));
    }
}

TEST_CASE(
    "a child is found by parent and by folder until it is dead, and a zombie counts as dead") {
    const testing::temporary_directory dir;
    auto sleeper = start(dir.path(), {"sleep", "60"});
    REQUIRE(sleeper);
    const pid_t pid = sleeper->pid();
    CHECK(is_alive(pid));
    CHECK(contains(*children_of(::getpid()), pid));
    CHECK(contains(*processes_with_cwd(dir.path()), pid));
    CHECK_FALSE(contains(*processes_with_cwd(dir.path().parent_path()), pid));
    CHECK(has_cwd(pid, dir.path()) == true);
    CHECK(has_cwd(pid, "/") == false);
    // The kernel shows the new program's arguments a moment after the exec.
    for (int looks = 0; looks < 100000 && command_line(pid).empty(); ++looks) ::sched_yield();
    CHECK(command_line(pid) == std::vector<std::string>{"sleep", "60"});
    CHECK(executable(pid).is_absolute());
    CHECK(start_ticks(pid) == look_up(pid)->start_ticks);

    sleeper->kill_group(SIGKILL);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    CHECK(state_of(pid) == process_state::zombie);
    CHECK_FALSE(is_alive(pid));
    CHECK_FALSE(contains(*processes_with_cwd(dir.path()), pid));
    REQUIRE(sleeper->reap());
    CHECK(state_of(pid) == process_state::absent);
    CHECK_FALSE(processes_with_cwd(dir.path() / "none"));
}
