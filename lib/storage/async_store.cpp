#include "storage/async_store.hpp"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace repld::storage {

namespace {

struct request {
    std::uint64_t sequence = 0;
    async_store::completion done{};
};

// Requests that one outcome answers.
struct batch {
    std::vector<request> requests{};
    std::string payload{};  // of the last request
};

error refusal(errc code, std::string message) {
    return {code, std::move(message), "", ""};
}

}  // namespace

struct async_store::shared {
    shared(register_store s, asio::any_io_executor e)
        : store(std::move(s)), executor(std::move(e)) {}

    // Posts under the mutex, so that outcomes keep the order in which they were decided.
    void answer(std::vector<request> requests, result<void> outcome) {
        if (requests.empty()) return;
        asio::post(executor, [list = std::move(requests), outcome = std::move(outcome)] {
            for (const auto& r : list)
                if (r.done) r.done(r.sequence, outcome);
        });
    }

    void run() {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [this] { return stopping || !waiting.requests.empty(); });
            if (stopping) return;
            auto current = std::exchange(waiting, {});
            in_progress = current.requests.size();
            lock.unlock();
            auto outcome = write(current.payload);
            lock.lock();
            in_progress = 0;
            answer(std::move(current.requests), std::move(outcome));
            if (waiting.requests.empty()) owing = nullptr;
        }
    }

    result<void> write(const std::string& payload) {
        try {
            return store.save(payload);
        } catch (const std::exception& e) {
            return refusal(errc::internal, std::string("could not save the register: ") + e.what());
        }
    }

    register_store store;            // of the worker thread alone
    asio::any_io_executor executor;  // never changes
    std::mutex mutex;
    std::condition_variable changed;
    // Guarded by the mutex from here.
    asio::any_io_executor owing;  // keeps the context from running out of work; empty when idle
    batch waiting;
    std::size_t in_progress = 0;
    std::optional<std::uint64_t> newest;
    bool stopping = false;
    std::thread worker;  // of the owner's thread
};

async_store::async_store(std::unique_ptr<shared> s) : shared_(std::move(s)) {}

result<std::unique_ptr<async_store>> async_store::start(register_store store,
                                                        asio::any_io_executor executor) {
    auto made = std::make_unique<shared>(std::move(store), std::move(executor));
    // Signals are the event loop's: a thread inherits the mask of the moment it is made.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::string failure;
    try {
        made->worker = std::thread([s = made.get()] { s->run(); });
    } catch (const std::system_error& e) {
        failure = e.what();
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (!failure.empty())
        return refusal(errc::io, "could not start the thread of the register store: " + failure);
    return std::unique_ptr<async_store>(new async_store(std::move(made)));
}

async_store::~async_store() {
    stop();
}

void async_store::save(std::uint64_t sequence, std::string payload, completion done) {
    const std::lock_guard lock(shared_->mutex);
    auto& s = *shared_;
    std::vector<request> one;
    one.push_back({sequence, std::move(done)});
    if (s.stopping) {
        s.answer(std::move(one), refusal(errc::refused, "the register store is stopping"));
    } else if (s.newest && sequence <= *s.newest) {
        s.answer(std::move(one),
                 refusal(errc::internal, "a register state was saved out of order"));
    } else if (s.waiting.requests.size() + s.in_progress >= waiting_max) {
        s.answer(std::move(one),
                 refusal(errc::io, "the disk of the state directory does not keep up"));
    } else {
        s.newest = sequence;
        s.waiting.payload = std::move(payload);
        s.waiting.requests.push_back(std::move(one.front()));
        s.owing = asio::prefer(s.executor, asio::execution::outstanding_work.tracked);
        s.changed.notify_one();
    }
}

void async_store::stop() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->stopping = true;
        shared_->changed.notify_one();
    }
    if (shared_->worker.joinable()) shared_->worker.join();
    const std::lock_guard lock(shared_->mutex);
    shared_->answer(std::exchange(shared_->waiting, {}).requests,
                    refusal(errc::refused, "the register store is stopping"));
    shared_->owing = nullptr;
}

}  // namespace repld::storage
