// A Unix socket as a byte stream.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "net/byte_stream.hpp"

namespace repld::net {

class unix_stream final : public byte_stream {
public:
    // `name` stands for the other end in messages.
    unix_stream(asio::local::stream_protocol::socket socket, std::string name)
        : socket_(std::move(socket)), name_(std::move(name)) {}

    task<result<std::size_t>> read_some(char* data, std::size_t size) override {
        auto [code, count] = co_await socket_.async_read_some(asio::buffer(data, size), as_result);
        if (code) co_return stream_error(code, name_);
        co_return count;
    }

    task<result<std::size_t>> write_some(const char* data, std::size_t size) override {
        auto [code, count] = co_await socket_.async_write_some(asio::buffer(data, size), as_result);
        if (code) co_return stream_error(code, name_);
        co_return count;
    }

    void close() noexcept override {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    [[nodiscard]] const std::string& address() const noexcept override { return name_; }

private:
    asio::local::stream_protocol::socket socket_;
    std::string name_;
};

}  // namespace repld::net
