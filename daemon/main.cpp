// repld: flags, configuration, state directory, then the loop.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>

#include "config/loader.hpp"
#include "config/server_files.hpp"
#include "daemon.hpp"
#include "net/spawn.hpp"
#include "notify.hpp"
#include "platform/boottime.hpp"
#include "platform/host.hpp"
#include "postgres/conninfo.hpp"
#include "protocol/state_codec.hpp"
#include "storage/register_store.hpp"
#include "version.hpp"

namespace {

using namespace repld;

int fail(const error& e) {
    std::cerr << to_string(e) << "\n";
    return exit_code_of(e.code);
}

result<void> check_conninfo(const std::string& text) {
    const auto parsed = postgres::conninfo::parse(text);
    if (!parsed) return parsed.error();
    return {};
}

result<config::host_config> load_config(const std::filesystem::path& file) {
    auto loaded = config::load(file, check_conninfo);
    if (!loaded) return loaded;
    if (loaded->postgres) {
        const char* path = std::getenv("PATH");
        if (loaded->postgres->bin_directory.empty()) {
            auto found = config::find_bin_directory(loaded->postgres->data_directory,
                                                    path == nullptr ? "" : path);
            if (!found) return found.error();
            loaded->postgres->bin_directory = *found;
        }
    }
    return loaded;
}

// The run directory may be gone after a reboot; it holds sockets only.
result<void> make_run_directory(const std::filesystem::path& path) {
    std::error_code ec;
    std::filesystem::create_directories(path, ec);
    if (ec)
        return error{errc::io,
                     "could not create directory \"" + path.string() + "\": " + ec.message()};
    return {};
}

result<durable_state> load_durable(storage::register_store& store,
                                   const config::host_config& config) {
    auto payload = store.load();
    if (!payload) return payload.error();
    if (!*payload) {
        durable_state fresh;
        fresh.identity = platform::random_nonce();
        return fresh;
    }
    auto durable = protocol::decode_durable(**payload);
    if (durable && durable->in_cluster() && durable->id != config.node.id)
        return error{errc::configuration, "node.id does not fit the state directory",
                     "\"" + config.paths.state.string() + "\" belongs to node id " +
                         std::to_string(durable->id) + ", the configuration says " +
                         std::to_string(config.node.id) + "."};
    return durable;
}

task<void> wait_for_signals(asio::io_context& loop, node_daemon& d, std::filesystem::path file) {
    asio::signal_set signals(loop, SIGTERM, SIGINT, SIGHUP);
    while (true) {
        const auto [failure, number] = co_await signals.async_wait(as_result);
        if (failure) co_return;
        if (number == SIGHUP) {
            notify_systemd("RELOADING=1");
            d.reload(load_config(file));
            notify_systemd("READY=1");
            continue;
        }
        notify_systemd("STOPPING=1");
        co_await d.leave(number == SIGTERM ? "the daemon was told to end"
                                           : "the daemon was interrupted");
        co_return;
    }
}

int run(const std::filesystem::path& file) {
    auto config = load_config(file);
    if (!config) {
        std::cerr << to_string(config.error()) << "\n";
        return exit_code_of(errc::configuration);  // also for a file that cannot be read
    }
    if (config->postgres && geteuid() == 0)
        return fail(
            {errc::refused, "repld cannot be run as root on a data node",
             "It starts PostgreSQL, which refuses to run as root.",
             "Run it as the user that owns " + config->postgres->data_directory.string() + "."});
    umask(0077);
    std::signal(SIGPIPE, SIG_IGN);
    logging::logger log(config->log);
    if (auto made = make_run_directory(config->paths.run); !made) return fail(made.error());
    auto machine = platform::machine_id();
    if (!machine) return fail(machine.error());
    auto store = storage::register_store::open(config->paths.state);
    if (!store) return fail(store.error());
    auto durable = load_durable(*store, *config);
    if (!durable) return fail(durable.error());
    host_secrets secrets(config->peer.key_file, config->paths.state);
    if (auto loaded = secrets.load(); !loaded) return fail(loaded.error());

    asio::io_context loop(1);
    auto writer = storage::async_store::start(std::move(*store), loop.get_executor());
    if (!writer) return fail(writer.error());
    node_daemon d(loop,
                  {std::move(*config), std::move(*durable), std::move(*writer), std::move(secrets),
                   *machine, program_version},
                  log);
    if (auto started = d.start(); !started) return fail(started.error());
    net::spawn(loop.get_executor(), wait_for_signals(loop, d, file));
    log.info(std::string("repld ") + program_version + " is ready");
    notify_systemd("READY=1");
    loop.run();
    log.info("repld has ended");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"repld: keeps one PostgreSQL primary alive"};
    std::string file;
    app.add_option("--config,-f", file,
                   "configuration file (default: $REPLD_CONFIG, then /etc/repld/repld.yaml)");
    app.set_version_flag("--version", std::string("repld ") + repld::program_version);
    app.footer("Example:\n  repld --config /etc/repld/repld.yaml");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 1;
    }
    return run(config::find_file(file.empty() ? std::nullopt : std::optional(file)));
}
