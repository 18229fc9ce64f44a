#include "real_server.hpp"

#include <arpa/inet.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "../process/run_task.hpp"
#include "platform/files.hpp"
#include "platform/unique_fd.hpp"

namespace repld::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

int free_port() {
    const platform::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd.get(), generic, length) == 0);
    REQUIRE(::getsockname(fd.get(), generic, &length) == 0);
    return ntohs(address.sin_port);
}

// `log` is shown when it fails.
void must_run(std::vector<std::string> argv, const fs::path& log) {
    auto outcome = process::require_success(
        run_task(process::run_command(as_server_user(std::move(argv)), 60s)), "prepare a server");
    if (outcome) return;
    const auto text = platform::read_file(log, 1000000);
    FAIL(to_string(outcome.error()) << "\n" << (text ? *text : ""));
}

}  // namespace

fs::path server_programs() {
    if (const char* chosen = std::getenv("REPLD_TEST_PG_BIN")) return chosen;
    fs::path best;
    int best_version = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
        const int version = std::atoi(entry.path().filename().c_str());
        if (version > best_version && fs::exists(entry.path() / "bin/initdb", none)) {
            best_version = version;
            best = entry.path() / "bin";
        }
    }
    return best;
}

process::command as_server_user(std::vector<std::string> argv) {
    if (::geteuid() == 0) {
        const std::vector<std::string> prefix{"setpriv", "--reuid=postgres", "--regid=postgres",
                                              "--init-groups", "--"};
        argv.insert(argv.begin(), prefix.begin(), prefix.end());
    }
    process::command what(std::move(argv));
    what.extra_env = {{"LC_ALL", "C"}};
    what.working_dir = "/";
    return what;
}

real_server::real_server() : port_(free_port()) {
    if (::geteuid() == 0) {
        const passwd* const owner = ::getpwnam("postgres");
        REQUIRE(owner != nullptr);
        REQUIRE(::chown(dir_.path().c_str(), owner->pw_uid, owner->pw_gid) == 0);
    }
    must_run({(server_programs() / "initdb").string(), "-D", data_directory().string(), "-A",
              "trust", "--no-sync", "-E", "UTF8", "--no-locale", "-U", user()},
             log_file());
    start();
}

real_server::~real_server() {
    // No run_task: the shared server ends after Catch2, whose assertions then end the program.
    asio::io_context loop;
    std::optional<result<process::command_outcome>> ignored;
    auto what = as_server_user({(server_programs() / "pg_ctl").string(), "-D",
                                data_directory().string(), "-m", "immediate", "stop"});
    asio::co_spawn(loop, store(process::run_command(std::move(what), 60s), ignored),
                   asio::detached);
    loop.run();
}

void real_server::start() {
    must_run({(server_programs() / "pg_ctl").string(), "-D", data_directory().string(), "-l",
              log_file().string(), "-o",
              "-c fsync=off -c listen_addresses=localhost -c port=" + std::to_string(port_) +
                  " -c unix_socket_directories=" + socket_directory().string(),
              "-w", "start"},
             log_file());
}

void real_server::stop(const std::string& mode) {
    must_run({(server_programs() / "pg_ctl").string(), "-D", data_directory().string(), "-m", mode,
              "-w", "stop"},
             log_file());
}

std::string real_server::user() const {
    if (::geteuid() == 0) return "postgres";
    const passwd* const me = ::getpwuid(::geteuid());
    return me != nullptr ? me->pw_name : "postgres";
}

std::string real_server::conninfo() const {
    return "host=" + socket_directory().string() + " port=" + std::to_string(port_) +
           " user=" + user() + " dbname=postgres";
}

real_server* shared_server() {
    static const std::unique_ptr<real_server> server =
        server_programs().empty() ? nullptr : std::make_unique<real_server>();
    return server.get();
}

}  // namespace repld::testing
