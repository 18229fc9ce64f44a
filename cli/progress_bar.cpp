#include "progress_bar.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "text.hpp"

namespace repld::cli {
namespace {

constexpr duration redraw_interval = std::chrono::milliseconds(100);

duration steady_now() {
    return std::chrono::duration_cast<duration>(
        std::chrono::steady_clock::now().time_since_epoch());
}

double seconds_of(duration d) {
    return std::chrono::duration<double>(d).count();
}

std::size_t terminal_width() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col;
}

std::string share_text(double percent) {
    return std::to_string(static_cast<int>(std::floor(percent))) + "%";
}

// What the report is about; the step's name alone when the daemon has nothing to add.
std::string label_of(const progress_report& report) {
    if (report.text.empty()) return report.step;
    if (report.step.empty()) return report.text;
    return report.step + ": " + report.text;
}

std::string first_columns(const std::string& text, std::size_t columns) {
    std::string cut;
    std::size_t used = 0;
    for (const char c : text) {
        const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        if (begins && ++used > columns) break;
        cut += c;
    }
    return cut;
}

std::string amount_text(const progress_report& report) {
    if (!report.bytes_done) return {};
    std::string text = bytes_text(*report.bytes_done);
    if (report.bytes_total) text += " of " + bytes_text(*report.bytes_total);
    return text;
}

}  // namespace

progress_report parse_progress(const json& body) {
    progress_report report;
    report.step = text_of(body, "step");
    report.text = text_of(body, "text");
    report.bytes_done = number_of(body, "bytes_done");
    report.bytes_total = number_of(body, "bytes_total");
    report.percent = number_of(body, "percent");
    if (!report.percent && report.bytes_done && report.bytes_total && *report.bytes_total > 0) {
        report.percent = 100 * *report.bytes_done / *report.bytes_total;
    }
    if (report.percent) report.percent = std::clamp(*report.percent, 0.0, 100.0);
    return report;
}

std::string bar_line(const progress_report& report, double bytes_per_second, std::size_t width) {
    std::string tail;
    if (report.percent) tail += " " + share_text(*report.percent);
    const std::string amount = amount_text(report);
    if (!amount.empty()) tail += ", " + amount;
    if (bytes_per_second > 0) {
        tail += ", " + bytes_text(bytes_per_second) + "/s";
        if (report.bytes_done && report.bytes_total && *report.bytes_total > *report.bytes_done) {
            const double left = (*report.bytes_total - *report.bytes_done) / bytes_per_second;
            tail += ", " + seconds_text(left) + " left";
        }
    }
    constexpr std::size_t bar_width = 20;
    std::string bar;
    if (report.percent && width >= display_width(tail) + bar_width + 16) {
        const auto full = static_cast<std::size_t>(*report.percent / 100 * bar_width);
        bar = " [" + std::string(full, '#') + std::string(bar_width - full, '.') + "]";
    }
    const std::size_t taken = display_width(bar) + display_width(tail);
    const std::size_t room = width > taken ? width - taken : 0;
    return first_columns(first_columns(label_of(report), room) + bar + tail, width);
}

std::string plain_line(const progress_report& report) {
    std::string line = label_of(report);
    if (report.percent) line += ", " + share_text(*report.percent);
    const std::string amount = amount_text(report);
    if (!amount.empty()) line += " (" + amount + ")";
    return line;
}

double rate_meter::add(const progress_report& report, duration now) {
    if (!report.bytes_done) return 0;
    // Going back means that the step began again, so what was measured says nothing any more.
    if (report.step != step_ || start_ == duration{} || *report.bytes_done < start_bytes_) {
        step_ = report.step;
        start_ = now;
        start_bytes_ = *report.bytes_done;
        return 0;
    }
    const double elapsed = seconds_of(now - start_);
    return elapsed > 0.2 ? (*report.bytes_done - start_bytes_) / elapsed : 0;
}

bool plain_filter::wants(const progress_report& report, duration now) {
    const auto tenth = [](const progress_report& r) { return std::floor(*r.percent / 10); };
    bool wanted = !last_ || last_->step != report.step;
    if (!wanted && report.percent && last_->percent) {
        wanted = tenth(report) > tenth(*last_);
    } else if (!wanted) {
        wanted =
            now - last_time_ >= std::chrono::seconds(1) && plain_line(report) != plain_line(*last_);
    }
    if (wanted) {
        last_ = report;
        last_time_ = now;
    }
    return wanted;
}

void progress_display::show(const json& body) {
    const progress_report report = parse_progress(body);
    const duration now = steady_now();
    const double rate = rate_.add(report, now);
    const bool wanted = filter_.wants(report, now);
    if (!terminal_) {
        if (wanted) std::fprintf(stderr, "%s\n", plain_line(report).c_str());
        return;
    }
    if (drawn_ && !wanted && now - last_drawn_ < redraw_interval) return;
    if (drawn_ && report.step != step_) finish();
    step_ = report.step;
    // One column stays free: writing into the last one makes some terminals wrap.
    std::fprintf(stderr, "\r%s\x1b[K", bar_line(report, rate, terminal_width() - 1).c_str());
    std::fflush(stderr);
    drawn_ = true;
    last_drawn_ = now;
}

void progress_display::finish() {
    if (drawn_) std::fputs("\n", stderr);
    drawn_ = false;
}

}  // namespace repld::cli
