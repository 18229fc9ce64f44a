// Progress of a long command: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/time.hpp"
#include "json_view.hpp"

namespace repld::cli {

// One report of the daemon:
// {"step":"clone","text":"...","percent":42.0,"bytes_done":N,"bytes_total":N}.
struct progress_report {
    std::string step;
    std::string text;
    std::optional<double> percent;  // 0..100
    std::optional<double> bytes_done;
    std::optional<double> bytes_total;
};
[[nodiscard]] progress_report parse_progress(const json& body);

// One line of at most `width` columns: text, bar, share, amount, rate, time left.
[[nodiscard]] std::string bar_line(const progress_report& report, double bytes_per_second,
                                   std::size_t width);
// One line for a log: "clone: text, 42% (420 MB of 1.0 GB)".
[[nodiscard]] std::string plain_line(const progress_report& report);

// Measures the rate over a step; the rate is 0 until there is something to divide. Times are those
// of one steady clock.
class rate_meter {
public:
    [[nodiscard]] double add(const progress_report& report, duration now);

private:
    std::string step_;
    duration start_{};
    double start_bytes_ = 0;
};

// Decides which reports become plain lines: a new step or text, every tenth of the way, and at most
// one a second while no share is known.
class plain_filter {
public:
    [[nodiscard]] bool wants(const progress_report& report, duration now);

private:
    std::optional<progress_report> last_;
    duration last_time_{};
};

// Writes to stderr. On a terminal each step keeps the line that its bar reached; what is printed
// after finish() starts on a line of its own.
class progress_display {
public:
    explicit progress_display(bool terminal) : terminal_(terminal) {}
    ~progress_display() { finish(); }
    progress_display(const progress_display&) = delete;
    progress_display& operator=(const progress_display&) = delete;

    void show(const json& body);
    void finish();

private:
    bool terminal_;
    bool drawn_ = false;
    std::string step_;
    duration last_drawn_{};
    rate_meter rate_;
    plain_filter filter_;
};

}  // namespace repld::cli
