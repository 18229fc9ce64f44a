#include "postgres/connection.hpp"

#include <algorithm>

#include "postgres/cancel.hpp"
#include "postgres/connection_state.hpp"
#include "postgres/conninfo.hpp"
#include "postgres/pq.hpp"
#include "postgres/resolve.hpp"

namespace repld::postgres {
namespace {

constexpr std::size_t answer_bytes_max = 32UL * 1024 * 1024;

std::string place(const conninfo& c) {
    std::string text =
        "\"" + c.get("host").value_or(c.get("hostaddr").value_or("local socket")) + "\"";
    if (const auto port = c.get("port")) text += " port " + *port;
    return text;
}

void keep_notice(void* owner, const PGresult* r) {
    const char* text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    if (text != nullptr) static_cast<connection_state*>(owner)->add_notice(redact_text(text));
}

error time_error(const std::string& what) {
    return error{errc::timed_out, what + " in time"};
}

error given_up_error() {
    return error{errc::internal, "work on a PostgreSQL connection was given up"};
}

// Collects the results of one query into the answer that the caller gets.
class collector {
public:
    // Error: protocol, when the answer is of a kind or size that is not taken.
    result<void> add(const PGresult* r) {
        switch (PQresultStatus(r)) {
            case PGRES_SINGLE_TUPLE: return add_rows(r);
            case PGRES_TUPLES_OK: {
                auto added = add_rows(r);
                current_.command_tag = PQcmdStatus(const_cast<PGresult*>(r));
                answer_ = std::move(current_);
                current_ = {};
                has_rows_ = true;
                return added;
            }
            case PGRES_COMMAND_OK:
                if (!has_rows_) answer_.command_tag = PQcmdStatus(const_cast<PGresult*>(r));
                return {};
            case PGRES_EMPTY_QUERY: return {};
            case PGRES_FATAL_ERROR:
            case PGRES_BAD_RESPONSE:
            case PGRES_NONFATAL_ERROR: {
                if (failure_) return {};
                failure_ = pq::result_error(r);
                return {};
            }
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
            case PGRES_PIPELINE_SYNC:
            case PGRES_PIPELINE_ABORTED: break;
        }
        return error{errc::protocol,
                     "PostgreSQL answered with a kind of result that is not expected",
                     PQresStatus(PQresultStatus(r))};
    }

    [[nodiscard]] bool failed() const noexcept { return failure_.has_value(); }
    result<row_set> finish() && {
        if (failure_) return std::move(*failure_);
        return std::move(answer_);
    }

private:
    result<void> add_rows(const PGresult* r) {
        const int columns = PQnfields(r);
        if (current_.columns.empty()) {
            for (int c = 0; c < columns; ++c) current_.columns.emplace_back(PQfname(r, c));
        }
        for (int i = 0; i < PQntuples(r); ++i) {
            auto& row = current_.rows.emplace_back();
            row.reserve(static_cast<std::size_t>(columns));
            for (int c = 0; c < columns; ++c) {
                if (PQgetisnull(r, i, c) != 0) {
                    row.emplace_back();
                    continue;
                }
                const auto length = static_cast<std::size_t>(PQgetlength(r, i, c));
                row.emplace_back(std::string(PQgetvalue(r, i, c), length));
                bytes_ += length;
            }
            bytes_ += row.size() * sizeof(row_set::value);
            if (bytes_ > answer_bytes_max) {
                return error{errc::protocol, "answer of PostgreSQL is too large",
                             "More than " + std::to_string(answer_bytes_max) + " bytes."};
            }
        }
        return {};
    }

    row_set current_{};
    row_set answer_{};
    std::optional<error> failure_{};
    std::size_t bytes_ = 0;
    bool has_rows_ = false;
};

bool send(PGconn* pg, const std::string& sql,
          const std::vector<std::optional<std::string>>& parameters) {
    if (parameters.empty()) return PQsendQuery(pg, sql.c_str()) == 1;
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const auto& p : parameters) values.push_back(p ? p->c_str() : nullptr);
    return PQsendQueryParams(pg, sql.c_str(), static_cast<int>(values.size()), nullptr,
                             values.data(), nullptr, nullptr, 0) == 1;
}

// Adds what this adapter wants unless the string says otherwise.
conninfo with_defaults(conninfo c) {
    c.set_default("fallback_application_name", "repld");
    c.set_default("gssencmode", "disable");
    c.set_default("client_encoding", "UTF8");
    return c;
}

pq::connection_handle start(const conninfo& c) {
    std::vector<const char*> keys, values;
    for (const auto& [key, value] : c.entries()) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    return pq::connection_handle(PQconnectStartParams(keys.data(), values.data(), 0));
}

// Precondition: s.pg was started. Success: the connection stands.
task<result<void>> finish_connecting(std::shared_ptr<connection_state> s) {
    auto next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (auto watched = s->watch_socket(); !watched) co_return watched;
        const auto outcome = co_await s->wait(next == PGRES_POLLING_READING ? readiness::readable
                                                                            : readiness::writable);
        if (outcome == wait_outcome::limit_passed) {
            co_return time_error("could not connect to PostgreSQL at " + s->where);
        }
        if (outcome == wait_outcome::given_up) co_return given_up_error();
        // PQconnectPoll may close the socket and open another, under the same number even.
        s->forget_socket();
        next = PQconnectPoll(s->pg.get());
        if (next == PGRES_POLLING_FAILED) {
            co_return pq::connect_error(PQerrorMessage(s->pg.get()), s->where);
        }
    }
    co_return s->watch_socket();
}

// Hands the query over to the network. `either`: a server that is blocked on its own output must be
// read from before it reads on.
task<result<void>> flush(std::shared_ptr<connection_state> s) {
    for (;;) {
        const int left = PQflush(s->pg.get());
        if (left == 0) co_return result<void>{};
        if (left < 0) co_return pq::broken_error(PQerrorMessage(s->pg.get()));
        const auto outcome = co_await s->wait(readiness::either);
        if (outcome == wait_outcome::limit_passed) co_return time_error("could not send a query");
        if (outcome == wait_outcome::given_up) co_return given_up_error();
        if (PQconsumeInput(s->pg.get()) == 0) {
            co_return pq::broken_error(PQerrorMessage(s->pg.get()));
        }
    }
}

// Reads to the end of the answer. An error here means that the connection is of no more use; an
// error of the server is in the collector.
task<result<void>> receive(std::shared_ptr<connection_state> s, collector& answer) {
    for (;;) {
        while (PQisBusy(s->pg.get()) != 0) {
            const auto outcome = co_await s->wait(readiness::readable);
            if (outcome == wait_outcome::limit_passed) {
                co_return time_error("PostgreSQL did not answer");
            }
            if (outcome == wait_outcome::given_up) co_return given_up_error();
            if (PQconsumeInput(s->pg.get()) == 0) {
                co_return pq::broken_error(PQerrorMessage(s->pg.get()));
            }
        }
        const pq::result_handle r(PQgetResult(s->pg.get()));
        if (!r) co_return result<void>{};
        if (auto added = answer.add(r.get()); !added) co_return added;
    }
}

// A zero byte would cut the text that PostgreSQL gets.
bool has_zero_byte(const std::string& sql,
                   const std::vector<std::optional<std::string>>& parameters) {
    const auto in = [](const std::string& text) { return text.find('\0') != std::string::npos; };
    return in(sql) || std::any_of(parameters.begin(), parameters.end(),
                                  [&](const auto& p) { return p && in(*p); });
}

}  // namespace

connection::connection(std::shared_ptr<connection_state> s) : state_(std::move(s)) {}

connection::~connection() {
    state_->close();
}

task<result<std::unique_ptr<connection>>> connection::open(std::string conninfo_text,
                                                           duration limit) {
    const auto deadline = deadline_after(limit);
    auto wanted = conninfo::parse(conninfo_text);
    if (!wanted) co_return std::move(wanted).error();
    auto target = co_await resolve_hosts(with_defaults(std::move(*wanted)), deadline);
    if (!target) co_return std::move(target).error();

    const auto s = std::make_shared<connection_state>(co_await asio::this_coro::executor);
    s->where = place(*target);
    operation_scope scope(s, deadline);
    s->pg = start(*target);
    if (!s->pg) co_return error{errc::internal, "out of memory"};
    PQsetNoticeReceiver(s->pg.get(), keep_notice, s.get());
    PQsetErrorVerbosity(s->pg.get(), PQERRORS_VERBOSE);
    if (PQstatus(s->pg.get()) == CONNECTION_BAD) {
        co_return pq::connect_error(PQerrorMessage(s->pg.get()), s->where);
    }
    if (auto connected = co_await finish_connecting(s); !connected) {
        co_return std::move(connected).error();
    }
    if (PQsetnonblocking(s->pg.get(), 1) != 0) {
        co_return pq::broken_error(PQerrorMessage(s->pg.get()));
    }
    PQsetErrorVerbosity(s->pg.get(), PQERRORS_DEFAULT);
    s->version = PQserverVersion(s->pg.get());
    s->backend_pid = PQbackendPID(s->pg.get());
    scope.complete();
    co_return std::unique_ptr<connection>(new connection(s));
}

task<result<row_set>> connection::run(std::shared_ptr<connection_state> s, std::string sql,
                                      std::vector<std::optional<std::string>> parameters,
                                      duration limit) {
    if (s->busy) {
        co_return error{errc::internal, "a query runs on this PostgreSQL connection already"};
    }
    s->sqlstate.clear();
    if (!s->pg || PQstatus(s->pg.get()) != CONNECTION_OK) {
        co_return error{errc::unreachable, "connection to PostgreSQL at " + s->where + " is gone"};
    }
    if (has_zero_byte(sql, parameters)) {
        co_return error{errc::internal, "a query or parameter contains a zero byte"};
    }
    operation_scope scope(s, deadline_after(limit));
    if (!send(s->pg.get(), sql, parameters)) {
        co_return pq::broken_error(PQerrorMessage(s->pg.get()));
    }
    // Row by row, so that an answer can be refused before libpq has swallowed all of it.
    PQsetSingleRowMode(s->pg.get());
    collector answer;
    auto done = co_await flush(s);
    if (done) done = co_await receive(s, answer);
    if (!done && done.error().code == errc::timed_out) cancel_in_background(s->pg.get());

    const bool server_spoke = answer.failed();
    // A server that says why it closes the connection (57P01) says more than the closing itself.
    if (!done && !server_spoke) co_return std::move(done).error();
    if (done && PQstatus(s->pg.get()) == CONNECTION_OK) scope.complete();
    auto outcome = std::move(answer).finish();
    if (!outcome) s->sqlstate = sqlstate_of(outcome.error());
    co_return outcome;
}

task<result<row_set>> connection::query(std::string sql,
                                        std::vector<std::optional<std::string>> parameters,
                                        duration limit) {
    return run(state_, std::move(sql), std::move(parameters), limit);
}

task<result<row_set>> connection::query_simple(std::string sql, duration limit) {
    return run(state_, std::move(sql), {}, limit);
}

bool connection::usable() const noexcept {
    return state_->pg && PQstatus(state_->pg.get()) == CONNECTION_OK;
}

int connection::server_version() const noexcept {
    return state_->version;
}

int connection::backend_pid() const noexcept {
    return state_->backend_pid;
}

std::string_view connection::last_sqlstate() const noexcept {
    return state_->sqlstate;
}

std::vector<std::string> connection::take_notices() {
    std::vector<std::string> taken(state_->notices.begin(), state_->notices.end());
    state_->notices.clear();
    return taken;
}

}  // namespace repld::postgres
