// Real servers in a temporary directory, reached by socket only; ended with the object.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "net/asio.hpp"
#include "postgres/connection.hpp"
#include "postgres/server.hpp"

namespace repld::testing {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

template <class T>
task<void> store_answer(task<T> work, std::optional<T>& answer) {
    answer.emplace(co_await std::move(work));
}

// One event loop for all that a test does.
class test_loop {
public:
    template <class T>
    T run(task<T> work) {
        // Not on the stack: the completion comes after the answer, maybe in a later run.
        struct outcome {
            std::optional<T> answer{};
            bool ended = false;
            std::exception_ptr thrown{};
        };
        auto shared = std::make_shared<outcome>();
        asio::co_spawn(loop_, store_answer(std::move(work), shared->answer),
                       [shared](std::exception_ptr e) {
                           shared->thrown = e;
                           shared->ended = true;
                       });
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (!shared->ended && std::chrono::steady_clock::now() < end) {
            loop_.restart();
            loop_.run_one_for(100ms);
        }
        if (shared->thrown) std::rethrow_exception(shared->thrown);
        REQUIRE(shared->answer);
        return std::move(*shared->answer);
    }
    // Handles events until `done`, at most `limit`; returns what it says at last.
    bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit = 10s);
    asio::any_io_executor executor() { return loop_.get_executor(); }

private:
    asio::io_context loop_;
};

class test_server {
public:
    test_server(test_loop& loop, fs::path directory, fs::path sockets, int port);
    ~test_server();
    test_server(const test_server&) = delete;
    test_server& operator=(const test_server&) = delete;

    [[nodiscard]] std::string conninfo() const;
    [[nodiscard]] const fs::path& data() const { return directory_; }
    postgres::local_server& server() { return *server_; }
    // Empties the object's knowledge, as a restart of the daemon does.
    void forget();

    void set(const std::vector<std::string>& lines);  // appended to postgresql.conf
    void start();
    void kill_postmaster();
    std::string sql(const std::string& text);
    bool wait_for(const std::string& query, const std::string& wanted);
    postgres::observation observe();
    [[nodiscard]] std::string log_text() const;

private:
    test_loop& loop_;
    fs::path directory_;
    fs::path sockets_;
    int port_ = 0;
    std::unique_ptr<postgres::local_server> server_{};
};

class test_group {
public:
    test_group();
    ~test_group();
    test_loop& loop() { return loop_; }
    [[nodiscard]] const fs::path& path() const { return path_; }
    std::unique_ptr<test_server> primary(const std::string& name);
    // A base backup of `of` that streams from it.
    std::unique_ptr<test_server> standby(const std::string& name, test_server& of);
    std::unique_ptr<test_server> adopt(const std::string& name);  // the folder is there already

private:
    test_loop loop_;
    fs::path path_;
    int next_port_ = 5401;
};

// Fails the test with what the program said.
std::string run_program(test_loop& loop, std::vector<std::string> argv);
[[nodiscard]] fs::path bin_directory();

// The value, or a failed test with the error's words.
template <class T>
T must(result<T> r) {
    if (!r) FAIL(to_string(r.error()));
    return std::move(*r);
}
inline void must(const result<void>& r) {
    if (!r) FAIL(to_string(r.error()));
}

}  // namespace repld::testing
