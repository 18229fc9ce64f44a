// A PostgreSQL server of its own in a temporary directory, with a private port and socket
// directory.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "../process/temporary_directory.hpp"
#include "process/runner.hpp"

namespace repld::testing {

// Where initdb and postgres are: $REPLD_TEST_PG_BIN, else the newest below /usr/lib/postgresql,
// else empty: the test says so and does nothing.
[[nodiscard]] std::filesystem::path server_programs();

// The command run by the user who may run a server: ourselves, or "postgres" when we are root.
[[nodiscard]] process::command as_server_user(std::vector<std::string> argv);

class real_server {
public:
    real_server();  // initdb and start; a failure fails the test
    ~real_server();
    real_server(const real_server&) = delete;
    real_server& operator=(const real_server&) = delete;

    void start();
    void stop(const std::string& mode);

    [[nodiscard]] std::filesystem::path data_directory() const { return dir_.path() / "data"; }
    [[nodiscard]] std::filesystem::path socket_directory() const { return dir_.path(); }
    [[nodiscard]] int port() const noexcept { return port_; }
    // "host=<socket directory> port=... user=... dbname=postgres"
    [[nodiscard]] std::string conninfo() const;
    [[nodiscard]] std::string user() const;

private:
    [[nodiscard]] std::filesystem::path log_file() const { return dir_.path() / "server.log"; }

    temporary_directory dir_{};
    int port_ = 0;
};

// One server for the whole program, started at first use; nullptr when there are no programs.
[[nodiscard]] real_server* shared_server();

}  // namespace repld::testing

// Ends a test case with a message when PostgreSQL is not installed.
#define REPLD_SERVER_OR_SKIP(name)                                              \
    auto* const name = repld::testing::shared_server();                         \
    if (name == nullptr) {                                                      \
        WARN("skipped: no PostgreSQL server programs (set REPLD_TEST_PG_BIN)"); \
        return;                                                                 \
    }
