// The real server of the tests of lib/postgres, with what these tests ask of it besides.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "../postgres/real_server.hpp"

namespace repld::testing {

class test_server : public real_server {
public:
    // As the superuser unless `role` is given.
    [[nodiscard]] std::string conninfo(const std::string& database = "postgres",
                                       const std::string& role = {}) const {
        return "host=" + socket_directory().string() + " port=" + std::to_string(port()) +
               " user=" + (role.empty() ? user() : role) + " dbname=" + database;
    }

    void restart() {
        stop("fast");
        start();
    }

    // From now on this role is asked for its password; everybody else stays trusted.
    void require_password_of(const std::string& role) {
        std::ofstream file(data_directory() / "pg_hba.conf", std::ios::trunc);
        file << "local all " << role << " scram-sha-256\nlocal all all trust\n";
        file.close();
        restart();
    }

    [[nodiscard]] std::string log() const {
        std::ifstream file(socket_directory() / "server.log");
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
};

}  // namespace repld::testing

// A server for this test case alone; ends it with a message when PostgreSQL is not installed.
#define SERVER_OR_SKIP(name)                                                    \
    if (repld::testing::server_programs().empty()) {                            \
        WARN("skipped: no PostgreSQL server programs (set REPLD_TEST_PG_BIN)"); \
        return;                                                                 \
    }                                                                           \
    repld::testing::test_server name
