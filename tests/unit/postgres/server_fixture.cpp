#include "server_fixture.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "platform/boottime.hpp"
#include "postgres/server_kill.hpp"
#include "process/runner.hpp"

namespace repld::testing {
namespace {

// PostgreSQL refuses to run as root, and local_server must own the data directory. The program runs
// itself anew, so that it is a plain process of that user.
struct run_as_postgres {
    run_as_postgres() {
        if (::geteuid() != 0) return;
        const passwd* user = ::getpwnam("postgres");
        if (user == nullptr) return;
        if (::initgroups("postgres", user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
            ::setuid(user->pw_uid) != 0 || ::chdir("/") != 0)
            std::abort();
        std::ifstream file("/proc/self/cmdline", std::ios::binary);
        std::stringstream all;
        all << file.rdbuf();
        std::string text = all.str();
        std::vector<char*> argv;
        for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1)
            argv.push_back(text.data() + at);
        argv.push_back(nullptr);
        ::execv("/proc/self/exe", argv.data());
        std::abort();
    }
};
const run_as_postgres before_main;

task<result<std::string>> ask(std::string conninfo, std::string text) {
    auto opened = co_await postgres::connection::open(conninfo, 10s);
    if (!opened) co_return std::move(opened).error();
    auto rows = co_await (*opened)->query_simple(text, 30s);
    if (!rows) co_return std::move(rows).error();
    co_return rows->at(0, std::size_t{0}).value_or("");
}

task<result<process::command_outcome>> run_it(std::vector<std::string> argv) {
    process::command what(std::move(argv));
    auto done = co_await process::run_command(std::move(what), 30s);
    co_return process::require_success(std::move(done), "run a program of the test");
}

}  // namespace

fs::path bin_directory() {
    if (const char* given = std::getenv("REPLD_TEST_BIN"); given != nullptr) return given;
    return "/usr/lib/postgresql/15/bin";
}

std::string run_program(test_loop& loop, std::vector<std::string> argv) {
    return must(loop.run(run_it(std::move(argv)))).output;
}

bool test_loop::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
        loop_.restart();
        loop_.run_one_for(1ms);
    }
    return done();
}

test_server::test_server(test_loop& loop, fs::path directory, fs::path sockets, int port)
    : loop_(loop), directory_(std::move(directory)), sockets_(std::move(sockets)), port_(port) {
    forget();
}

test_server::~test_server() {
    server_.reset();
    static_cast<void>(
        loop_.run(postgres::kill_all(directory_, {}, platform::boot_now() + 5s)).has_value());
}

void test_server::forget() {
    postgres::server_settings settings;
    settings.data_directory = directory_;
    settings.bin_directory = bin_directory();
    server_ = std::make_unique<postgres::local_server>(loop_.executor(), std::move(settings));
}

std::string test_server::conninfo() const {
    return "host=" + sockets_.string() + " port=" + std::to_string(port_) +
           " user=postgres dbname=postgres";
}

void test_server::set(const std::vector<std::string>& lines) {
    std::ofstream file(directory_ / "postgresql.conf", std::ios::app);
    for (const auto& line : lines) file << line << '\n';
}

void test_server::start() {
    must(postgres::drop_stale_pid_file(directory_));
    run_program(loop_, {(bin_directory() / "pg_ctl").string(), "start", "-s", "-w", "-D",
                        directory_.string(), "-l", directory_.string() + ".log"});
}

void test_server::kill_postmaster() {
    std::ifstream file(directory_ / "postmaster.pid");
    pid_t pid = 0;
    file >> pid;
    REQUIRE(pid > 0);
    REQUIRE(::kill(pid, SIGKILL) == 0);
}

std::string test_server::sql(const std::string& text) {
    return must(loop_.run(ask(conninfo(), text)));
}

bool test_server::wait_for(const std::string& query, const std::string& wanted) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
        auto got = loop_.run(ask(conninfo(), query));
        if (got && *got == wanted) return true;
        loop_.run_until([] { return false; }, 10ms);
    }
    return false;
}

postgres::observation test_server::observe() {
    return loop_.run(server_->observe(2s));
}

std::string test_server::log_text() const {
    std::ifstream file(directory_.string() + ".log");
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
}

test_group::test_group() {
    std::string pattern = (fs::temp_directory_path() / "repld-pg-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
}

test_group::~test_group() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

std::unique_ptr<test_server> test_group::adopt(const std::string& name) {
    return std::make_unique<test_server>(loop_, path_ / name, path_, next_port_++);
}

namespace {

// initdb takes seconds; one serves all tests of a run.
struct pattern_directory {
    explicit pattern_directory(test_loop& loop) {
        std::string name = (fs::temp_directory_path() / "repld-initdb-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
        run_program(loop, {(bin_directory() / "initdb").string(), "-A", "trust", "-N", "-U",
                           "postgres", "-D", path.string()});
    }
    ~pattern_directory() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    fs::path path{};
};

}  // namespace

std::unique_ptr<test_server> test_group::primary(const std::string& name) {
    static const pattern_directory pattern(loop_);
    run_program(loop_, {"cp", "-a", pattern.path.string(), (path_ / name).string()});
    const int port = next_port_;
    auto made = adopt(name);
    made->set({"port=" + std::to_string(port), "listen_addresses=''",
               "unix_socket_directories='" + path_.string() + "'", "wal_log_hints=on",
               "shared_buffers=16MB", "fsync=off", "wal_keep_size=0", "autovacuum=off",
               "max_wal_size=64MB", "min_wal_size=32MB"});
    made->start();
    made->sql("CREATE TABLE t(i int)");
    return made;
}

std::unique_ptr<test_server> test_group::standby(const std::string& name, test_server& of) {
    run_program(loop_, {(bin_directory() / "pg_basebackup").string(), "-d", of.conninfo(), "-D",
                        (path_ / name).string(), "-c", "fast", "-X", "stream", "-N"});
    const int port = next_port_;
    auto made = adopt(name);
    made->set({"port=" + std::to_string(port)});
    std::ofstream(made->data() / "standby.signal");
    std::ofstream(made->data() / "postgresql.auto.conf", std::ios::app)
        << "primary_conninfo = '" << of.conninfo() << " application_name=" << name << "'\n";
    made->start();
    return made;
}

}  // namespace repld::testing
