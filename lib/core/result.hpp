// result<T>: a value or an error. The member names are those of std::expected, so that it can be
// replaced by it once every supported compiler has <expected> (g++ 12 offers it in C++23 mode
// only).
#pragma once

#include <cstdlib>
#include <utility>
#include <variant>

#include "core/error.hpp"

namespace repld {

template <class T>
class [[nodiscard]] result {
public:
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(repld::error e) : state_(std::in_place_index<1>, std::move(e)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    // Precondition: has_value(). Reading the wrong half is a defect of ours and ends the process.
    T& value() & { return *require(); }
    const T& value() const& { return *require(); }
    T&& value() && { return std::move(*require()); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return require(); }
    const T* operator->() const { return require(); }

    // Precondition: !has_value().
    const repld::error& error() const& {
        const auto* e = std::get_if<1>(&state_);
        if (e == nullptr) std::abort();
        return *e;
    }
    repld::error&& error() && {
        auto* e = std::get_if<1>(&state_);
        if (e == nullptr) std::abort();
        return std::move(*e);
    }

    template <class U>
    T value_or(U&& other) const& {
        return has_value() ? std::get<0>(state_) : static_cast<T>(std::forward<U>(other));
    }

private:
    T* require() {
        auto* v = std::get_if<0>(&state_);
        if (v == nullptr) std::abort();
        return v;
    }
    const T* require() const {
        const auto* v = std::get_if<0>(&state_);
        if (v == nullptr) std::abort();
        return v;
    }

    std::variant<T, repld::error> state_;
};

// Success without a value.
template <>
class [[nodiscard]] result<void> {
public:
    result() = default;
    result(repld::error e) : failed_(true), error_(std::move(e)) {}

    [[nodiscard]] bool has_value() const noexcept { return !failed_; }
    explicit operator bool() const noexcept { return has_value(); }
    const repld::error& error() const& {
        if (!failed_) std::abort();
        return error_;
    }
    repld::error&& error() && {
        if (!failed_) std::abort();
        return std::move(error_);
    }

private:
    bool failed_ = false;
    repld::error error_{};
};

}  // namespace repld
