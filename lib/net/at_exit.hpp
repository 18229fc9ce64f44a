// Runs something at the end of a scope, however a function or coroutine leaves it. The action must
// not throw.
#pragma once

#include <utility>

namespace repld::net {

template <class F>
class [[nodiscard]] at_exit {
public:
    explicit at_exit(F action) : action_(std::move(action)) {}
    at_exit(const at_exit&) = delete;
    at_exit& operator=(const at_exit&) = delete;
    ~at_exit() { action_(); }

private:
    F action_;
};

}  // namespace repld::net
