#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "net/control_client.hpp"
#include "net/control_server.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;
using local = asio::local::stream_protocol;

namespace {

class run_folder {
public:
    run_folder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "repld-run-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    run_folder(const run_folder&) = delete;
    run_folder& operator=(const run_folder&) = delete;
    ~run_folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string socket() const { return (path_ / "repld.sock").string(); }

private:
    std::filesystem::path path_;
};

task<json> echo(json request, request_origin origin, progress_sink progress) {
    progress(json("half"));
    json answer = json::object();
    answer["request"] = std::move(request);
    answer["uid"] = origin.user_id;
    answer["pid"] = origin.process_id;
    co_return answer;
}

}  // namespace

TEST_CASE("a local request is answered, with progress, and knows its user") {
    event_loop loop;
    const run_folder folder;
    control_server server(loop.executor(), echo, {});
    REQUIRE(server.listen(folder.socket()));
    struct stat status {};
    REQUIRE(::stat(folder.socket().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);

    // The blocking wrapper, as replctl uses it, from another thread.
    std::optional<result<json>> answer;
    std::vector<json> reports;
    std::atomic<bool> done = false;
    std::thread client([&] {
        answer.emplace(call_control(folder.socket(), "show", 5s,
                                    [&](json report) { reports.push_back(std::move(report)); }));
        done = true;
    });
    CHECK(loop.until([&] { return done.load(); }));
    client.join();
    REQUIRE(answer->has_value());
    CHECK((**answer)["request"] == "show");
    CHECK((**answer)["uid"] == ::geteuid());
    CHECK((**answer)["pid"] == ::getpid());
    CHECK(reports == std::vector<json>{"half"});
    server.stop();
    CHECK_FALSE(std::filesystem::exists(folder.socket()));
    CHECK(loop.drains());
}

TEST_CASE("without a daemon the error says so") {
    const run_folder folder;
    const auto nobody = call_control(folder.socket(), "show", 1s, {});
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == errc::unreachable);
    CHECK(nobody.error().hint.find("repld runs") != std::string::npos);
}

TEST_CASE("a stale socket is replaced, a living one and other files are not") {
    event_loop loop;
    const run_folder folder;
    SECTION("stale") {
        { local::acceptor dead(loop.executor(), local::endpoint(folder.socket())); }
        REQUIRE(std::filesystem::exists(folder.socket()));
        control_server server(loop.executor(), echo, {});
        REQUIRE(server.listen(folder.socket()));
        REQUIRE(loop.wait(call_control_async(loop.executor(), folder.socket(), "x", 2s, {})));
    }
    SECTION("living") {
        control_server first(loop.executor(), echo, {});
        REQUIRE(first.listen(folder.socket()));
        control_server second(loop.executor(), echo, {});
        const auto refused = second.listen(folder.socket());
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == errc::refused);
        second.stop();
        REQUIRE(loop.wait(call_control_async(loop.executor(), folder.socket(), "x", 2s, {})));
    }
    SECTION("another file") {
        std::ofstream(folder.socket()) << "precious";
        control_server server(loop.executor(), echo, {});
        CHECK_FALSE(server.listen(folder.socket()));
        CHECK(std::filesystem::file_size(folder.socket()) == 8);
    }
    SECTION("too long") {
        control_server server(loop.executor(), echo, {});
        const auto refused = server.listen(folder.socket() + std::string(100, 'x'));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == errc::configuration);
    }
    SECTION("no such folder") {
        control_server server(loop.executor(), echo, {});
        const auto refused = server.listen(folder.socket() + "/deeper/repld.sock");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == errc::io);
    }
}

TEST_CASE("garbage, and requests beyond a megabyte, close that connection only") {
    event_loop loop;
    const run_folder folder;
    control_server server(loop.executor(), echo, {});
    REQUIRE(server.listen(folder.socket()));
    local::socket rude(loop.executor());
    rude.connect(local::endpoint(folder.socket()));
    asio::write(rude, asio::buffer(std::string("\xff\xff\xff\xff garbage")));
    rude.non_blocking(true);
    REQUIRE(loop.until([&] {
        char buffer[64];
        boost::system::error_code code;
        rude.read_some(asio::buffer(buffer), code);
        return code && code != asio::error::would_block;
    }));
    const auto big = loop.wait(call_control_async(loop.executor(), folder.socket(),
                                                  json(std::string(2 << 20, 'x')), 2s, {}));
    REQUIRE_FALSE(big);
    REQUIRE(loop.wait(call_control_async(loop.executor(), folder.socket(), "x", 2s, {})));
}

TEST_CASE("connections beyond the limit are closed, and places become free again") {
    event_loop loop;
    const run_folder folder;
    control_server server(loop.executor(), echo, {});
    REQUIRE(server.listen(folder.socket()));
    {
        std::vector<local::socket> crowd;
        for (std::size_t i = 0; i < control_connections_max; ++i) {
            crowd.emplace_back(loop.executor());
            crowd.back().connect(local::endpoint(folder.socket()));
        }
        loop.run_for(50ms);
        CHECK_FALSE(loop.wait(call_control_async(loop.executor(), folder.socket(), "x", 2s, {})));
    }
    bool served = false;
    for (int i = 0; i < 100 && !served; ++i) {
        loop.run_for(10ms);
        served = loop.wait(call_control_async(loop.executor(), folder.socket(), "x", 2s, {}))
                     .has_value();
    }
    CHECK(served);
}

TEST_CASE("a daemon that stops in the middle of a request ends the call") {
    event_loop loop;
    const run_folder folder;
    int finished = 0;
    request_handler slow = [&](json, request_origin, progress_sink) {
        return [](asio::any_io_executor executor, int* count) -> task<json> {
            asio::steady_timer timer(executor, 200ms);
            co_await timer.async_wait(as_result);
            ++*count;
            co_return json("late");
        }(loop.executor(), &finished);
    };
    auto server = std::make_unique<control_server>(loop.executor(), slow, log_sink{});
    REQUIRE(server->listen(folder.socket()));
    asio::steady_timer timer(loop.executor(), 50ms);
    timer.async_wait([&](const boost::system::error_code&) { server.reset(); });
    const auto cut = loop.wait(call_control_async(loop.executor(), folder.socket(), "x", 5s, {}));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == errc::unreachable);
    REQUIRE(loop.until([&] { return finished == 1; }));
    CHECK(loop.drains());
}
