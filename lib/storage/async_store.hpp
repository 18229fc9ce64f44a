// Saves the register on a thread of its own, so that a slow disk never holds up the event loop, and
// tells the event loop when it is durable. A request that comes while another is being written
// replaces those that wait: the newest payload contains what the older ones said, so that writing
// it makes all of them durable at once (group commit).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "net/asio.hpp"
#include "storage/register_store.hpp"

namespace repld::storage {

class async_store {
public:
    // Called on the executor, once per save(). Those of accepted requests come in the order of the
    // calls; a refusal may overtake them.
    using completion = std::function<void(std::uint64_t sequence, result<void>)>;

    // Requests whose outcome is still unknown; one more is refused with errc::io ("the disk does
    // not keep up"). Payloads do not add up: one is being written, one waits.
    static constexpr std::size_t waiting_max = 1024;

    // Precondition: store.load() has succeeded. The executor's context must outlive the object; it
    // has work while an outcome is owed. errc::io: no thread is to be had.
    [[nodiscard]] static result<std::unique_ptr<async_store>> start(register_store store,
                                                                    asio::any_io_executor executor);
    // As stop(). Completions already posted still run if the context does.
    ~async_store();
    async_store(const async_store&) = delete;
    async_store& operator=(const async_store&) = delete;

    // Never waits for the disk. `sequence` rises with every call; one that does not is refused with
    // errc::internal. A failed write gives its error to every request that it stood for; later ones
    // are tried anew. To be called from one thread.
    void save(std::uint64_t sequence, std::string payload, completion done);

    // Waits for the write in progress, if any (as long as the disk takes); requests that have not
    // begun are refused with errc::refused, and so are later ones.
    void stop();

private:
    struct shared;
    explicit async_store(std::unique_ptr<shared> s);
    std::unique_ptr<shared> shared_;
};

}  // namespace repld::storage
