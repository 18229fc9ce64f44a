#include "net/handshake.hpp"

namespace repld::net {
namespace {

repld::error unexpected(const envelope& e) {
    return repld::error{.code = errc::protocol,
                        .message = std::string("unexpected message of type ") + to_string(e.type),
                        .detail = "The connection has not been accepted yet."};
}

result<void> check_version(const hello& other) {
    if (other.protocol == peer_protocol_version) return {};
    return repld::error{
        .code = errc::refused,
        .message =
            "peer protocol " + std::to_string(other.protocol) + " is not supported by repld here",
        .detail = "This daemon speaks protocol " + std::to_string(peer_protocol_version) + ".",
        .hint = "Upgrade repld on the host with the older version."};
}

hello_outcome broken(connection& link, repld::error why, node_id node = 0) {
    link.close(why);
    return refusal{refusal::side::nobody, std::move(why), node};
}

}  // namespace

task<hello_outcome> exchange_hello(std::shared_ptr<connection> link, hello own, hello_check check) {
    envelope mine{.type = envelope_type::hello, .id = 0, .body = encode_hello(own)};
    if (auto posted = link->post(mine); !posted) co_return broken(*link, posted.error());

    auto first = co_await link->receive();
    if (!first) co_return broken(*link, first.error());
    if (first->type == envelope_type::refuse) {
        auto why = decode_error(first->body);
        link->close(why);
        co_return refusal{refusal::side::there, std::move(why), 0};
    }
    if (first->type != envelope_type::hello) co_return broken(*link, unexpected(*first));
    auto other = decode_hello(first->body);
    if (!other) co_return broken(*link, other.error());

    auto judged = check_version(*other);
    if (judged && check) judged = check(*other);
    if (!judged) {
        envelope no{.type = envelope_type::refuse, .id = 0, .body = encode_error(judged.error())};
        static_cast<void>(link->post(no));
        link->finish();
        co_return refusal{refusal::side::here, judged.error(), other->node};
    }
    link->set_receive_limit(frame_bytes_max_peer);
    const envelope yes{.type = envelope_type::accept};
    if (auto posted = link->post(yes); !posted)
        co_return broken(*link, posted.error(), other->node);

    auto second = co_await link->receive();
    if (!second) co_return broken(*link, second.error(), other->node);
    if (second->type == envelope_type::refuse) {
        auto why = decode_error(second->body);
        link->close(why);
        co_return refusal{refusal::side::there, std::move(why), other->node};
    }
    if (second->type != envelope_type::accept) {
        co_return broken(*link, unexpected(*second), other->node);
    }
    co_return std::move(*other);
}

}  // namespace repld::net
