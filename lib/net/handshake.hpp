// The hello exchange on a fresh connection: both sides say hello, judge the other's, and answer
// accept or refuse. A link exists only when both have accepted, so that neither side believes in
// one that the other has just refused.
#pragma once

#include <functional>
#include <memory>

#include "core/result.hpp"
#include "net/connection.hpp"
#include "net/hello.hpp"

namespace repld::net {

// Success admits the other side. The error is told to it word for word.
using hello_check = std::function<result<void>(const hello&)>;

struct refusal {
    enum class side { here, there, nobody };  // nobody: the connection failed or broke the protocol
    side by = side::nobody;
    repld::error why{};
    node_id node = 0;  // of the other side when its hello was read
};

// A hello, or why there is none.
class hello_outcome {
public:
    hello_outcome(hello accepted) : accepted_(std::move(accepted)), good_(true) {}
    hello_outcome(refusal refused) : refused_(std::move(refused)) {}
    explicit operator bool() const noexcept { return good_; }
    [[nodiscard]] const hello& accepted() const noexcept { return accepted_; }
    [[nodiscard]] const refusal& refused() const noexcept { return refused_; }

private:
    hello accepted_{};
    refusal refused_{};
    bool good_ = false;
};

// Precondition: the connection has been started and nothing was read from it. On success its frame
// limit is that of peers. On failure it is closed or about to be. No time limit of its own.
task<hello_outcome> exchange_hello(std::shared_ptr<connection> link, hello own, hello_check check);

}  // namespace repld::net
