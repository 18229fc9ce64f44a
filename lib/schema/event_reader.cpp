#include "schema/event_reader.hpp"

#include <algorithm>
#include <utility>

#include "postgres/connection.hpp"

namespace repld::schema {

namespace {

constexpr int events_max = 10000;

constexpr const char* select_events = R"sql(
SELECT e.id,
       pg_catalog.to_char(e.event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"Z"') AS time,
       e.node_id, n.node_name, e.event, e.successful, e.details, e.evidence::text AS evidence
FROM repld.events e
LEFT JOIN repld.nodes n ON n.node_id = e.node_id
WHERE ($1::bigint IS NULL OR e.node_id = $1::bigint)
  AND ($2::text IS NULL OR n.node_name = $2::text)
  AND ($3::text IS NULL OR e.event = $3::text)
ORDER BY e.id DESC
LIMIT $4::integer
)sql";

error no_schema(const error& reason) {
    return error{errc::refused, "the metadata schema \"repld\" is not there", reason.message,
                 "The leader's daemon makes it; connect to the metadata database of the cluster."};
}

event_row to_row(const postgres::row_set& set, std::size_t row) {
    event_row event;
    event.id = set.number(row, "id").value_or(0);
    event.time = set.text(row, "time");
    event.node = static_cast<node_id>(set.number(row, "node_id").value_or(0));
    event.node_name = set.text(row, "node_name");
    event.event = set.text(row, "event");
    event.successful = set.flag(row, "successful");
    event.details = set.text(row, "details");
    event.evidence = set.text(row, "evidence");
    return event;
}

}  // namespace

task<result<std::vector<event_row>>> read_events(postgres::connection& on, event_filter filter,
                                                 duration limit) {
    std::vector<std::optional<std::string>> parameters(4);
    if (filter.node) parameters[0] = std::to_string(*filter.node);
    parameters[1] = filter.node_name;
    parameters[2] = filter.event;
    const int most = filter.all ? events_max : std::clamp(filter.limit, 1, events_max);
    parameters[3] = std::to_string(most);
    const auto found = co_await on.query(select_events, std::move(parameters), limit);
    if (!found) {
        const auto state = postgres::sqlstate_of(found.error());
        // undefined_table, invalid_schema_name
        if (state == "42P01" || state == "3F000") co_return no_schema(found.error());
        co_return found.error();
    }
    std::vector<event_row> events;
    events.reserve(found->size());
    for (std::size_t row = 0; row < found->size(); ++row) events.push_back(to_row(*found, row));
    co_return events;
}

}  // namespace repld::schema
