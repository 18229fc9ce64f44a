// Cuts a stream of bytes into lines, for progress output that ends its lines with \r.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace repld::process {

class line_splitter {
public:
    static constexpr std::size_t line_bytes_max = 8192;

    explicit line_splitter(std::function<void(std::string_view)> on_line)
        : on_line_(std::move(on_line)) {}

    void add(std::string_view bytes) {
        if (!on_line_) return;
        for (const char c : bytes) {
            if (c == '\n' || c == '\r') {
                flush();
            } else {
                line_.push_back(c);
                if (line_.size() == line_bytes_max) flush();
            }
        }
    }

    // Hands out what has no line end; nothing when there is nothing.
    void flush() {
        if (line_.empty()) return;
        on_line_(line_);
        line_.clear();
    }

private:
    std::function<void(std::string_view)> on_line_;
    std::string line_{};
};

}  // namespace repld::process
