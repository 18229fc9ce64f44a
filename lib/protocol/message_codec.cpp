#include "protocol/message_codec.hpp"

#include "protocol/fields.hpp"
#include "protocol/state_codec.hpp"

namespace repld::protocol {

namespace {

// One pair of functions per message; the name on the wire stands in both switches below.
json put(const prevote_request& m) {
    return {{"kind", "prevote_request"}, {"attempt", m.attempt}, {"position", encode(m.position)}};
}
json put(const prevote_answer& m) {
    json body = {
        {"kind", "prevote_answer"}, {"attempt", m.attempt},           {"would", m.would},
        {"reason", m.reason},       {"promised", encode(m.promised)}, {"could_lead", m.could_lead}};
    if (m.position) body["position"] = encode(*m.position);
    return body;
}
json put(const prepare& m) {
    return {{"kind", "prepare"},
            {"under", encode(m.under)},
            {"attempt", m.attempt},
            {"position", encode(m.position)},
            {"token", m.token}};
}
json put(const promise_answer& m) {
    json body = {{"kind", "promise_answer"}, {"under", encode(m.under)},
                 {"attempt", m.attempt},     {"promised", m.promised},
                 {"reason", m.reason},       {"promised_to", encode(m.promised_to)}};
    if (m.accepted) body["accepted"] = encode(*m.accepted);
    if (m.position) body["position"] = encode(*m.position);
    return body;
}
json put(const leader_report& r) {
    return {{"writable", r.writable}, {"end", encode(r.end)}};
}
json put(const accept& m) {
    return {{"kind", "accept"},       {"under", encode(m.under)}, {"attempt", m.attempt},
            {"round", m.round},       {"token", m.token},         {"value", encode(m.value)},
            {"report", put(m.report)}};
}
json put(const heartbeat& m) {
    return {{"kind", "heartbeat"},    {"under", encode(m.under)}, {"attempt", m.attempt},
            {"round", m.round},       {"token", m.token},         {"version", m.version},
            {"report", put(m.report)}};
}
json put(const grant_answer& m) {
    return {{"kind", "grant_answer"},
            {"under", encode(m.under)},
            {"round", m.round},
            {"granted", m.granted},
            {"reason", m.reason},
            {"figure_ns", m.figure.count()},
            {"promised_to", encode(m.promised_to)},
            {"accepted_under", encode(m.accepted_under)},
            {"version", m.version},
            {"accepted_leader", m.accepted_leader}};
}
json put(const release& m) {
    return {{"kind", "release"}, {"closed", encode(m.closed)}};
}
json put(const readmit_request& m) {
    return {{"kind", "readmit_request"}, {"attempt", m.attempt}};
}
json put(const readmit_answer& m) {
    return {{"kind", "readmit_answer"},
            {"attempt", m.attempt},
            {"boot", m.boot},
            {"generation", m.generation},
            {"promised", encode(m.promised)},
            {"longest_lease_ns", m.longest_lease.count()}};
}

leader_report get_report(const json& b) {
    const json& r = field(b, "report");
    return {bool_field(r, "writable"), read_position(r, "end")};
}

std::optional<wal_position> get_position(const json& b) {
    if (!b.contains("position")) return std::nullopt;
    return read_position(b, "position");
}

message get(const json& b) {
    const std::string kind = text_field(b, "kind");
    if (kind == "heartbeat")
        return heartbeat{read_ballot(b, "under"),
                         number_field<nonce>(b, "attempt"),
                         number_field<round_number>(b, "round"),
                         number_field<nonce>(b, "token"),
                         number_field<version_number>(b, "version"),
                         get_report(b)};
    if (kind == "grant_answer") {
        grant_answer m;
        m.under = read_ballot(b, "under");
        m.round = number_field<round_number>(b, "round");
        m.granted = bool_field(b, "granted");
        m.reason = text_field(b, "reason");
        m.figure = duration(signed_value(field(b, "figure_ns"), "figure_ns", 0, INT64_MAX));
        m.promised_to = read_ballot(b, "promised_to");
        m.accepted_under = read_ballot(b, "accepted_under");
        m.version = number_field<version_number>(b, "version");
        m.accepted_leader = number_field<node_id>(b, "accepted_leader");
        return m;
    }
    if (kind == "accept")
        return accept{read_ballot(b, "under"),
                      number_field<nonce>(b, "attempt"),
                      number_field<round_number>(b, "round"),
                      number_field<nonce>(b, "token"),
                      read_cluster_state(field(b, "value")),
                      get_report(b)};
    if (kind == "prevote_request")
        return prevote_request{number_field<nonce>(b, "attempt"), read_position(b, "position")};
    if (kind == "prevote_answer")
        return prevote_answer{
            number_field<nonce>(b, "attempt"), bool_field(b, "would"), text_field(b, "reason"),
            read_ballot(b, "promised"),        get_position(b),        bool_field(b, "could_lead")};
    if (kind == "prepare")
        return prepare{read_ballot(b, "under"), number_field<nonce>(b, "attempt"),
                       read_position(b, "position"), number_field<nonce>(b, "token")};
    if (kind == "promise_answer") {
        promise_answer m;
        m.under = read_ballot(b, "under");
        m.attempt = number_field<nonce>(b, "attempt");
        m.promised = bool_field(b, "promised");
        m.reason = text_field(b, "reason");
        m.promised_to = read_ballot(b, "promised_to");
        if (b.contains("accepted")) m.accepted = read_accepted(field(b, "accepted"));
        m.position = get_position(b);
        return m;
    }
    if (kind == "release") return release{read_ballot(b, "closed")};
    if (kind == "readmit_request") return readmit_request{number_field<nonce>(b, "attempt")};
    if (kind == "readmit_answer")
        return readmit_answer{
            number_field<nonce>(b, "attempt"), number_field<std::uint64_t>(b, "boot"),
            number_field<std::uint64_t>(b, "generation"), read_ballot(b, "promised"),
            duration(signed_value(field(b, "longest_lease_ns"), "longest_lease_ns", 0, INT64_MAX))};
    throw bad_field{"field \"kind\" names no known message"};
}

}  // namespace

json encode(const envelope& from, const message& body) {
    json out = std::visit([](const auto& m) { return put(m); }, body);
    out["from"] = {{"id", from.from},
                   {"cluster", from.cluster},
                   {"system_identifier", from.system_identifier},
                   {"identity", from.identity},
                   {"boot", from.boot},
                   {"generation", from.generation},
                   {"start", from.start},
                   {"remembers", from.remembers},
                   {"remembers_boot", from.remembers_boot},
                   {"remembers_start", from.remembers_start}};
    return out;
}

result<message_received> decode_message(const json& body) {
    try {
        const json& f = field(body, "from");
        const envelope from{number_field<node_id>(f, "id"),
                            text_field(f, "cluster"),
                            number_field<std::uint64_t>(f, "system_identifier"),
                            number_field<nonce>(f, "identity"),
                            number_field<std::uint64_t>(f, "boot"),
                            number_field<std::uint64_t>(f, "generation"),
                            number_field<nonce>(f, "start"),
                            number_field<std::uint64_t>(f, "remembers"),
                            number_field<std::uint64_t>(f, "remembers_boot"),
                            number_field<nonce>(f, "remembers_start")};
        return message_received{from, get(body)};
    } catch (const bad_field& bad) {
        return error{errc::protocol, "invalid message", bad.text};
    }
}

}  // namespace repld::protocol
