#include "protocol/state_codec.hpp"

#include "protocol/fields.hpp"

namespace repld::protocol {

namespace {

constexpr int durable_format = 1;
constexpr std::size_t members_max = 256;
constexpr std::size_t timelines_max = 100000;

json encode_voters(const voter_set& voters) {
    json list = json::array();
    for (const node_id id : voters) list.push_back(id);
    return list;
}

voter_set read_voters(const json& object, const char* key) {
    voter_set voters;
    for (const json& id : array_field(object, key, members_max))
        voters.insert(static_cast<node_id>(unsigned_value(id, key, UINT32_MAX)));
    return voters;
}

member read_member(const json& body) {
    member m;
    m.id = number_field<node_id>(body, "id");
    m.identity = number_field<nonce>(body, "identity");
    m.machine_id = text_field(body, "machine_id");
    m.name = text_field(body, "name");
    const std::string role = text_field(body, "role");
    if (role == "data")
        m.role = node_role::data;
    else if (role == "witness")
        m.role = node_role::witness;
    else
        throw bad_field{"field \"role\" is neither data nor witness"};
    m.address = text_field(body, "address");
    m.conninfo = text_field(body, "conninfo");
    m.location = text_field(body, "location");
    m.priority = number_field<int>(body, "priority");
    if (m.id == 0) throw bad_field{"field \"id\" is 0"};
    return m;
}

cluster_settings read_settings(const json& body) {
    if (!body.is_object()) throw bad_field{"field \"settings\" is no object"};
    cluster_settings settings;
    for (const auto& [key, value] : body.items()) {
        if (!value.is_string()) throw bad_field{"setting \"" + key + "\" is no text"};
        auto changed = with_setting(settings, key, value.get<std::string>());
        if (!changed) throw bad_field{changed.error().message};
        settings = *changed;
    }
    return settings;
}

}  // namespace

json encode(const ballot& b) {
    return json::array({b.term, b.node});
}

json encode(const wal_position& p) {
    return json::array({p.timeline, p.end.value});
}

ballot read_ballot(const json& object, const char* key) {
    const json& pair = array_field(object, key, 2);
    if (pair.size() != 2) throw bad_field{"field \"" + std::string(key) + "\" is no ballot"};
    return {unsigned_value(pair[0], key, UINT64_MAX),
            static_cast<node_id>(unsigned_value(pair[1], key, UINT32_MAX))};
}

wal_position read_position(const json& object, const char* key) {
    const json& pair = array_field(object, key, 2);
    if (pair.size() != 2) throw bad_field{"field \"" + std::string(key) + "\" is no WAL position"};
    return {static_cast<timeline_id>(unsigned_value(pair[0], key, UINT32_MAX)),
            lsn{unsigned_value(pair[1], key, UINT64_MAX)}};
}

json encode(const member& m) {
    return {{"id", m.id},
            {"identity", m.identity},
            {"machine_id", m.machine_id},
            {"name", m.name},
            {"role", m.role == node_role::data ? "data" : "witness"},
            {"address", m.address},
            {"conninfo", m.conninfo},
            {"location", m.location},
            {"priority", m.priority}};
}

json encode(const cluster_state& state) {
    json members = json::array();
    for (const member& m : state.members) members.push_back(encode(m));
    json settings = json::object();
    for (const setting_row& row : list_settings(state.settings)) settings[row.key] = row.value;
    json timelines = json::array();
    for (const timeline_entry& t : state.timelines)
        timelines.push_back({{"timeline", t.timeline},
                             {"parent", t.parent},
                             {"fork", t.fork.value},
                             {"by", encode(t.by)}});
    json body = {{"cluster", state.cluster},        {"system_identifier", state.system_identifier},
                 {"version", state.version},        {"leader", state.leader},
                 {"members", std::move(members)},   {"voters", encode_voters(state.voters)},
                 {"settings", std::move(settings)}, {"timelines", std::move(timelines)},
                 {"paused", state.paused}};
    if (state.next_voters) body["next_voters"] = encode_voters(*state.next_voters);
    return body;
}

cluster_state read_cluster_state(const json& body) {
    cluster_state state;
    state.cluster = text_field(body, "cluster");
    state.system_identifier = number_field<std::uint64_t>(body, "system_identifier");
    state.version = number_field<version_number>(body, "version");
    state.leader = number_field<node_id>(body, "leader");
    for (const json& m : array_field(body, "members", members_max))
        state.members.push_back(read_member(m));
    state.voters = read_voters(body, "voters");
    if (body.contains("next_voters")) state.next_voters = read_voters(body, "next_voters");
    state.settings = read_settings(field(body, "settings"));
    for (const json& t : array_field(body, "timelines", timelines_max))
        state.timelines.push_back(
            {number_field<timeline_id>(t, "timeline"), number_field<timeline_id>(t, "parent"),
             lsn{number_field<std::uint64_t>(t, "fork")}, read_ballot(t, "by")});
    state.paused = bool_field(body, "paused");
    return state;
}

json encode(const accepted_value& value) {
    return {{"under", encode(value.under)}, {"value", encode(value.value)}};
}

accepted_value read_accepted(const json& body) {
    return {read_ballot(body, "under"), read_cluster_state(field(body, "value"))};
}

result<member> decode_member(const json& body) {
    try {
        return read_member(body);
    } catch (const bad_field& bad) {
        return error{errc::protocol, "invalid description of a node", bad.text};
    }
}

result<cluster_state> decode_cluster_state(const json& body) {
    try {
        return read_cluster_state(body);
    } catch (const bad_field& bad) {
        return error{errc::protocol, "invalid cluster state", bad.text};
    }
}

std::string encode_durable(const durable_state& s) {
    json closed = json::array();
    for (const auto& [node, term] : s.closed) closed.push_back(encode(ballot{term, node}));
    json peers = json::array();
    for (const auto& [id, memory] : s.peers)
        peers.push_back({{"id", id},
                         {"identity", memory.identity},
                         {"boot", memory.boot},
                         {"start", memory.start},
                         {"generation", memory.generation}});
    json starts = json::array();
    for (const start_record& r : s.starts)
        starts.push_back({{"boot", r.boot}, {"start", r.start}, {"generation", r.generation}});
    json body = {{"format", durable_format},
                 {"starts", std::move(starts)},
                 {"start", s.start},
                 {"went_back", s.went_back},
                 {"id", s.id},
                 {"identity", s.identity},
                 {"machine_id", s.machine_id},
                 {"cluster", s.cluster},
                 {"system_identifier", s.system_identifier},
                 {"boot", s.boot},
                 {"generation", s.generation},
                 {"own_term", s.own_term},
                 {"promise", {{"to", encode(s.promise.to)}, {"attempt", s.promise.attempt}}},
                 {"floor", encode(s.floor)},
                 {"grant_max_ns", s.grant_max.count()},
                 {"closed", std::move(closed)},
                 {"void_in_s", s.void_in_s},
                 {"peers", std::move(peers)}};
    if (s.accepted) body["accepted"] = encode(*s.accepted);
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<durable_state> decode_durable(const std::string& text) {
    try {
        const json body = json::parse(text);
        if (number_field<int>(body, "format") != durable_format)
            throw bad_field{"its format is " + std::to_string(number_field<int>(body, "format")) +
                            ", this version reads " + std::to_string(durable_format)};
        durable_state s;
        s.id = number_field<node_id>(body, "id");
        s.identity = number_field<nonce>(body, "identity");
        s.machine_id = text_field(body, "machine_id");
        s.cluster = text_field(body, "cluster");
        s.system_identifier = number_field<std::uint64_t>(body, "system_identifier");
        s.boot = number_field<std::uint64_t>(body, "boot");
        s.generation = number_field<std::uint64_t>(body, "generation");
        s.own_term = number_field<term_number>(body, "own_term");
        const json& promise = field(body, "promise");
        s.promise = {read_ballot(promise, "to"), number_field<nonce>(promise, "attempt")};
        s.floor = read_ballot(body, "floor");
        s.grant_max =
            duration(signed_value(field(body, "grant_max_ns"), "grant_max_ns", 0, INT64_MAX));
        for (const json& pair : array_field(body, "closed", 100000)) {
            const ballot b = read_ballot(json{{"closed", pair}}, "closed");
            s.closed[b.node] = b.term;
        }
        s.start = number_field<nonce>(body, "start");
        s.went_back = bool_field(body, "went_back");
        for (const json& r : array_field(body, "starts", 1000))
            s.starts.push_back({number_field<std::uint64_t>(r, "boot"),
                                number_field<nonce>(r, "start"),
                                number_field<std::uint64_t>(r, "generation")});
        s.void_in_s = bool_field(body, "void_in_s");
        for (const json& p : array_field(body, "peers", 100000))
            s.peers[number_field<node_id>(p, "id")] = {
                number_field<nonce>(p, "identity"), number_field<std::uint64_t>(p, "boot"),
                number_field<nonce>(p, "start"), number_field<std::uint64_t>(p, "generation")};
        if (body.contains("accepted")) s.accepted = read_accepted(field(body, "accepted"));
        return s;
    } catch (const bad_field& bad) {
        return error{errc::corrupt, "the stored state cannot be read", bad.text};
    } catch (const json::exception& e) {
        return error{errc::corrupt, "the stored state cannot be read", e.what()};
    }
}

}  // namespace repld::protocol
