// A pipe whose reading end does not wait.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

namespace repld::test {

class pipe {
public:
    pipe() {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    }
    ~pipe() {
        close_reader();
        ::close(ends_[1]);
    }
    pipe(const pipe&) = delete;
    pipe& operator=(const pipe&) = delete;

    [[nodiscard]] int writer() const { return ends_[1]; }
    void close_reader() {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ends_[0] = -1;
    }
    // Everything that is there now.
    std::string read() const {
        std::string text;
        std::array<char, 4096> block{};
        for (ssize_t got = 0; (got = ::read(ends_[0], block.data(), block.size())) > 0;)
            text.append(block.data(), static_cast<std::size_t>(got));
        return text;
    }

private:
    std::array<int, 2> ends_{-1, -1};
};

}  // namespace repld::test
