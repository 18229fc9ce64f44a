// The durable part of the register (rule R1): what this node has promised and accepted. It is never
// guessed: a file that is damaged in any way, or gone although there was one, is errc::corrupt, and
// the node must not vote until it is re-admitted.
//
// One process per state directory. Everything here waits for the disk: load() belongs before the
// event loop, save() to a thread of its own (async_store.hpp). load() and save() may come from
// different threads, one at a time.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "storage/posix_file.hpp"

namespace repld::storage {

class register_store {
public:
    // Makes the directory (0700; its parent must exist) or checks it: ours, and closed to group and
    // others. Takes its lock, which lasts as long as this object.
    // errc::refused: another process holds the lock (DETAIL: its pid), or the permissions are
    // wrong. errc::io: the operating system said no.
    [[nodiscard]] static result<register_store> open(const std::filesystem::path& directory);

    register_store(register_store&&) = default;
    register_store& operator=(register_store&&) = default;

    // The payload of the last save() that may have succeeded; nothing when none ever has.
    // errc::corrupt: unreadable, damaged or lost (DETAIL: why); the file stays as it is.
    // errc::io: the marker could not be written or looked for.
    [[nodiscard]] result<std::optional<std::string>> load();

    // When it succeeds, the payload is on disk and survives any crash. When it fails, the previous
    // payload or this one is on disk, whole; this one must count as not saved, and a later save()
    // that succeeds settles it.
    // Precondition: load() or set_aside() has succeeded; otherwise errc::internal, and nothing is
    // touched: a corrupt file must not be written over by accident.
    [[nodiscard]] result<void> save(const std::string& payload);

    // After errc::corrupt and a re-admission by the cluster, never before: moves what is left to
    // "register.json.aside" (replacing an earlier one) and lets save() begin anew.
    [[nodiscard]] result<void> set_aside();

    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return path_; }

private:
    register_store(std::filesystem::path path, descriptor directory, descriptor lock);

    [[nodiscard]] std::string path_of(const char* name) const;
    [[nodiscard]] result<bool> marked() const;
    [[nodiscard]] result<void> mark();

    std::filesystem::path path_;
    descriptor directory_;
    descriptor lock_;
    bool marked_ = false;    // the marker is known to be on disk
    bool writable_ = false;  // load() or set_aside() has succeeded
};

}  // namespace repld::storage
