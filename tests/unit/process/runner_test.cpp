#include "process/runner.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "process/proc_table.hpp"
#include "run_task.hpp"
#include "temporary_directory.hpp"

using namespace repld;
using namespace repld::process;
using namespace std::chrono_literals;
using repld::testing::run_task;

namespace {

command_outcome must_run(command what, duration limit = 20s) {
    auto outcome = run_task(run_command(std::move(what), limit));
    if (!outcome) FAIL(to_string(outcome.error()));
    return std::move(*outcome);
}

command shell(std::string line) {
    return command({"/bin/sh", "-c", std::move(line)});
}

std::chrono::milliseconds since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 begin);
}

int open_descriptors() {
    DIR* d = ::opendir("/proc/self/fd");
    int n = 0;
    while (::readdir(d) != nullptr) ++n;
    ::closedir(d);
    return n;
}

}  // namespace

TEST_CASE("exit status, signal and merged output are told") {
    const auto a = must_run(shell("echo out; echo err >&2; exit 3"));
    CHECK(a.exit_code == 3);
    CHECK(a.signal == 0);
    CHECK(a.output == "out\nerr\n");
    CHECK_FALSE(a.succeeded());
    CHECK(describe(a) == "exited with status 3");
    CHECK(must_run(command({"true"})).succeeded());
    const auto b = must_run(shell("kill -USR1 $$"));
    CHECK(b.signal == SIGUSR1);
    CHECK_FALSE(b.succeeded());
    CHECK(run_task(run_shell("exit 4", 5s))->exit_code == 4);
}

TEST_CASE("a program that is not there is an error, not an outcome") {
    const auto r = run_task(run_command(command({"/nonexistent/program"}), 5s));
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::io);
    CHECK(r.error().message == "could not run \"/nonexistent/program\": No such file or directory");
    CHECK(run_task(run_command(command({}), 5s)).error().code == errc::internal);
}

TEST_CASE("the child's surroundings: environment, folder, input, signals, descriptors, group") {
    const testing::temporary_directory dir;
    ::setenv("REPLD_TEST_A", "old", 1);
    auto c = shell(
        "echo $REPLD_TEST_A $REPLD_TEST_B; pwd; cat; ls /proc/self/fd | wc -l; "
        "grep SigBlk /proc/self/status; grep SigIgn /proc/self/status; "
        "ps -o pgid= -p $$ | tr -d ' '; echo $$");
    c.extra_env = {{"REPLD_TEST_A", "new"}, {"REPLD_TEST_B", "b"}};
    c.working_dir = dir.path();
    const int leaked = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC on purpose
    sigset_t set, before;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &set, &before);
    const auto handler = ::signal(SIGPIPE, SIG_IGN);
    const auto o = must_run(std::move(c));
    ::signal(SIGPIPE, handler);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::close(leaked);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < o.output.size();) {
        const auto end = o.output.find('\n', i);
        lines.push_back(o.output.substr(i, end - i));
        i = end + 1;
    }
    REQUIRE(lines.size() == 7);
    CHECK(lines[0] == "new b");
    CHECK(lines[1] == std::filesystem::canonical(dir.path()).string());
    CHECK(lines[2] == "4");  // 0, 1, 2 and the folder that ls reads
    CHECK(lines[3] == "SigBlk:\t0000000000000000");
    // Signals 32 and 33 belong to the C library, which leaves them as its own parent had them.
    const auto ignored = std::stoull(lines[4].substr(lines[4].find('\t') + 1), nullptr, 16);
    CHECK((ignored & 0x7fffffff) == 0);
    CHECK(lines[5] == lines[6]);
}

TEST_CASE("lines come as they are written, ended by newline or carriage return") {
    auto c = shell("printf '10%%\\r20%%\\r\\n\\nlast'");
    std::vector<std::string> lines;
    c.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    must_run(std::move(c));
    CHECK(lines == std::vector<std::string>{"10%", "20%", "last"});

    auto long_line = shell("head -c 20000 /dev/zero | tr '\\0' x");
    std::vector<std::size_t> sizes;
    long_line.on_line = [&](std::string_view line) { sizes.push_back(line.size()); };
    must_run(std::move(long_line));
    CHECK(sizes == std::vector<std::size_t>{8192, 8192, 3616});
}

TEST_CASE("of much output the tail is kept") {
    auto c = shell("seq 1 200000");
    c.output_limit = 1000;
    const auto o = must_run(std::move(c));
    CHECK(o.succeeded());
    CHECK(o.output.size() == 1000);
    CHECK(o.output.ends_with("199999\n200000\n"));
}

TEST_CASE("when the limit passes the whole group ends, first asked, then killed") {
    const testing::temporary_directory dir;
    const auto begin = std::chrono::steady_clock::now();
    auto polite = shell("trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    const auto asked = must_run(std::move(polite), 300ms);
    CHECK(asked.timed_out);
    CHECK(asked.output.starts_with("ready\n"));
    CHECK(asked.output.ends_with("asked\n"));
    CHECK_FALSE(asked.succeeded());
    CHECK(since(begin) < 1300ms);

    // Neither the shell nor its child in the background obeys SIGTERM.
    auto deaf = shell("trap '' TERM; (trap '' TERM; sleep 60) & while :; do sleep 0.05; done");
    deaf.working_dir = dir.path();
    deaf.kill_grace = 100ms;
    const auto killed = must_run(std::move(deaf), 100ms);
    CHECK(killed.timed_out);
    CHECK(killed.signal == SIGKILL);
    CHECK(describe(killed) == "did not end in time");
    for (int i = 0; i < 100 && !processes_with_cwd(dir.path())->empty(); ++i) ::usleep(10000);
    CHECK(processes_with_cwd(dir.path())->empty());

    const auto at_once = std::chrono::steady_clock::now();
    auto no_grace = shell("trap '' TERM; sleep 60");
    no_grace.kill_grace = 0s;
    CHECK(must_run(std::move(no_grace), 50ms).signal == SIGKILL);
    CHECK(since(at_once) < 1s);
}

TEST_CASE("a descendant that lives on and holds the pipe does not hold up the caller") {
    const auto begin = std::chrono::steady_clock::now();
    const auto o = must_run(shell("(sleep 3; echo late) & echo early"), 10s);
    CHECK(o.succeeded());
    CHECK(o.output == "early\n");
    CHECK(since(begin) < 2s);
}

TEST_CASE("a run that is cancelled takes its group with it") {
    const testing::temporary_directory dir;
    const int before = open_descriptors();
    {
        asio::io_context loop;
        auto c = shell("sleep 60 & sleep 60");
        c.working_dir = dir.path();
        std::optional<result<command_outcome>> never;
        asio::co_spawn(loop, testing::store(run_command(std::move(c), 60s), never), asio::detached);
        loop.run_for(100ms);
        CHECK(processes_with_cwd(dir.path())->size() >= 2);
    }
    for (int i = 0; i < 100 && !processes_with_cwd(dir.path())->empty(); ++i) ::usleep(10000);
    CHECK(processes_with_cwd(dir.path())->empty());
    CHECK(open_descriptors() == before);
    must_run(command({"true"}));  // reaps what was let go
    const auto children = *children_of(::getpid());
    CHECK(children.empty());
}

TEST_CASE("a loop that ends while programs are being started leaves none behind") {
    const testing::temporary_directory dir;
    {
        asio::io_context loop;
        std::vector<std::optional<result<command_outcome>>> never(10);
        for (auto& outcome : never) {
            command c({"sleep", "60"});
            c.working_dir = dir.path();
            asio::co_spawn(loop, testing::store(run_command(std::move(c), 60s), outcome),
                           asio::detached);
        }
        loop.poll();
    }
    for (int i = 0; i < 200; ++i) {
        ::usleep(10000);
        must_run(command({"true"}));
        if (children_of(::getpid())->empty()) break;
    }
    CHECK(children_of(::getpid())->empty());
    CHECK(processes_with_cwd(dir.path())->empty());
}

TEST_CASE("of more programs than can be started at once the rest is refused") {
    asio::io_context loop;
    std::vector<std::optional<result<command_outcome>>> outcomes(200);
    for (auto& outcome : outcomes) {
        asio::co_spawn(loop, testing::store(run_command(command({"true"}), 20s), outcome),
                       asio::detached);
    }
    loop.run_for(20s);
    std::size_t succeeded = 0;
    for (const auto& outcome : outcomes) {
        REQUIRE(outcome);
        if (*outcome) {
            ++succeeded;
            CHECK((*outcome)->succeeded());
        } else {
            CHECK(outcome->error().code == errc::io);
        }
    }
    CHECK(succeeded >= 16);
}

TEST_CASE("several commands run at the same time") {
    const auto begin = std::chrono::steady_clock::now();
    asio::io_context loop;
    std::vector<std::optional<result<command_outcome>>> outcomes(12);
    for (auto& outcome : outcomes) {
        asio::co_spawn(loop, testing::store(run_shell("sleep 0.5", 10s), outcome), asio::detached);
    }
    loop.run_for(10s);
    for (const auto& outcome : outcomes) {
        REQUIRE(outcome);
        REQUIRE(*outcome);
        CHECK((*outcome)->succeeded());
    }
    CHECK(since(begin) < 5s);
}

TEST_CASE("require_success says what could not be done and what the command said") {
    auto bad = require_success(run_task(run_shell("echo no space; exit 1", 5s)), "clone the node");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message == "could not clone the node");
    CHECK(bad.error().detail == "The command exited with status 1. It said: no space");
    auto late = require_success(run_task(run_shell("sleep 9", 50ms)), "wait", errc::postgres);
    CHECK(late.error().code == errc::timed_out);
    CHECK(require_success(run_task(run_shell("true", 5s)), "do it"));
}
