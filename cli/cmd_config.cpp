// `replctl config check`: judges repld.yaml of this host without a daemon.
#include <filesystem>

#include "commands.hpp"
#include "config/loader.hpp"
#include "net/key_file.hpp"
#include "postgres/conninfo.hpp"

namespace repld::cli {
namespace {

result<void> check_conninfo(const std::string& text) {
    auto parsed = postgres::conninfo::parse(text);
    if (parsed) return {};
    error e = std::move(parsed).error();
    // The loader shows the message alone.
    if (!e.detail.empty()) e.message += ": " + e.detail;
    return e;
}

// A file that cannot be what it must be is an error; one that is not there yet may come.
result<void> check_files(const session& s, const config::host_config& c) {
    std::error_code ignored;
    const auto& key_file = c.peer.key_file;
    if (!std::filesystem::exists(key_file, ignored)) {
        s.out.notice("there is no key file \"" + key_file.string() +
                     "\" yet; `cluster create` or joining with a token makes it");
    } else if (auto key = net::load_cluster_key(key_file.string()); !key) {
        return std::move(key).error();
    }
    if (c.postgres && !std::filesystem::is_directory(c.postgres->data_directory, ignored)) {
        s.out.notice("there is no data directory \"" + c.postgres->data_directory.string() +
                     "\" yet; `node join` clones into it");
    }
    return {};
}

void show(const session& s, const config::host_config& c) {
    const auto settings = config::describe(c);
    switch (s.out.format) {
        case output_format::as_json: {
            json values = json::object();
            for (const auto& setting : settings) values[setting.key] = setting.value;
            s.out.print(pretty(
                {{"file", c.file.string()}, {"valid", true}, {"settings", std::move(values)}}));
            return;
        }
        case output_format::as_csv: {
            table rows({"key", "value"});
            for (const auto& setting : settings) rows.add({setting.key, setting.value});
            s.out.print(rows);
            return;
        }
        case output_format::as_table: {
            s.out.print("configuration file \"" + c.file.string() + "\" is valid\n\n");
            table rows({"Key", "Value"});
            for (const auto& setting : settings) rows.add({setting.key, setting.value});
            s.out.print(rows);
            return;
        }
    }
}

exit_code run_check(session& s) {
    const auto loaded = config::load(s.config_file, check_conninfo);
    if (!loaded) {
        s.out.fail(loaded.error());
        return exit_code::usage;
    }
    if (const auto files = check_files(s, *loaded); !files) {
        s.out.fail(files.error());
        return exit_code::usage;
    }
    show(s, *loaded);
    return exit_code::done;
}

}  // namespace

void add_config_commands(CLI::App& root, command& chosen) {
    auto* group = add_group(root, "config", "The configuration file of this host.");
    auto* check = add_command(group, "check", "Check repld.yaml; needs no daemon.",
                              "replctl --config /etc/repld/repld.yaml config check");
    check->callback([&chosen] { chosen = run_check; });
}

}  // namespace repld::cli
