#include "net/hello.hpp"

#include <charconv>
#include <limits>
#include <optional>

namespace repld::net {
namespace {

// Names and addresses are shown to people and kept per link; nobody needs longer ones.
constexpr std::size_t text_bytes_max = 1024;

class field_reader {
public:
    explicit field_reader(const json& body) : body_(body) {}

    std::string text(const char* key) {
        const auto found = body_.find(key);
        if (found == body_.end() || !found->is_string() ||
            found->get_ref<const std::string&>().size() > text_bytes_max) {
            fail(key);
            return {};
        }
        return found->get<std::string>();
    }

    nonce number_in_text(const char* key) {
        const auto digits = text(key);
        nonce value = 0;
        const auto [end, code] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (code != std::errc{} || end != digits.data() + digits.size()) fail(key);
        return value;
    }

    std::uint64_t number(const char* key, std::uint64_t max) {
        const auto found = body_.find(key);
        if (found == body_.end() || !found->is_number_unsigned() ||
            found->get<std::uint64_t>() > max) {
            fail(key);
            return 0;
        }
        return found->get<std::uint64_t>();
    }

    bool flag(const char* key) {
        const auto found = body_.find(key);
        if (found == body_.end() || !found->is_boolean()) {
            fail(key);
            return false;
        }
        return found->get<bool>();
    }

    [[nodiscard]] const std::optional<std::string>& bad_field() const { return bad_; }

private:
    void fail(const char* key) {
        if (!bad_) bad_ = key;
    }

    const json& body_;
    std::optional<std::string> bad_;
};

}  // namespace

json encode_hello(const hello& h) {
    json body = json::object();
    body["cluster"] = h.cluster;
    body["system_identifier"] = h.system_identifier;
    body["node_id"] = h.node;
    body["node_name"] = h.node_name;
    body["identity"] = std::to_string(h.identity);
    body["boot"] = std::to_string(h.boot);
    body["machine_id"] = h.machine_id;
    body["advertise"] = h.advertise;
    body["program_version"] = h.program_version;
    body["protocol"] = h.protocol;
    body["client"] = h.client;
    return body;
}

result<hello> decode_hello(const json& body) {
    if (!body.is_object()) {
        return repld::error{.code = errc::protocol, .message = "malformed hello"};
    }
    field_reader read(body);
    hello h;
    h.cluster = read.text("cluster");
    h.system_identifier = read.text("system_identifier");
    h.node = static_cast<node_id>(read.number("node_id", std::numeric_limits<node_id>::max()));
    h.node_name = read.text("node_name");
    h.identity = read.number_in_text("identity");
    h.boot = read.number_in_text("boot");
    h.machine_id = read.text("machine_id");
    h.advertise = read.text("advertise");
    h.program_version = read.text("program_version");
    h.protocol = static_cast<int>(read.number("protocol", 1000000));
    h.client = read.flag("client");
    if (read.bad_field()) {
        return repld::error{
            .code = errc::protocol,
            .message = "malformed hello",
            .detail = "Field \"" + *read.bad_field() + "\" is missing or has the wrong kind."};
    }
    if (h.client && h.node != 0) {
        return repld::error{.code = errc::protocol,
                            .message = "malformed hello",
                            .detail = "A client has no node id."};
    }
    return h;
}

}  // namespace repld::net
