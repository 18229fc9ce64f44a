// A place for a state directory, removed at the end of the test, and its files by name.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace repld::test {

class state_directory {
public:
    state_directory() {
        auto name = (std::filesystem::temp_directory_path() / "repld-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        parent_ = name;
    }
    ~state_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(parent_, ignored);
    }
    state_directory(const state_directory&) = delete;
    state_directory& operator=(const state_directory&) = delete;

    // Does not exist yet.
    [[nodiscard]] std::filesystem::path path() const { return parent_ / "state"; }
    [[nodiscard]] std::filesystem::path file(const char* name) const { return path() / name; }
    [[nodiscard]] bool has(const char* name) const { return std::filesystem::exists(file(name)); }

    [[nodiscard]] std::string read(const char* name) const {
        std::ifstream input(file(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(input), {}};
    }
    void write(const char* name, const std::string& content) const {
        std::ofstream(file(name), std::ios::binary | std::ios::trunc) << content;
    }

private:
    std::filesystem::path parent_;
};

}  // namespace repld::test
