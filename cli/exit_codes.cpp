#include "exit_codes.hpp"

namespace repld::cli {

exit_code exit_code_of(errc code) noexcept {
    switch (code) {
        case errc::usage:
        case errc::configuration: return exit_code::usage;
        case errc::refused: return exit_code::refused;
        case errc::unreachable: return exit_code::unreachable;
        case errc::timed_out: return exit_code::timed_out;
        case errc::failed_undone: return exit_code::failed_undone;
        case errc::io:
        case errc::protocol:
        case errc::postgres:
        case errc::corrupt:
        case errc::internal:
        // Nothing is known about what such a failure left behind, so a person has to look.
        case errc::needs_person: return exit_code::needs_person;
    }
    return exit_code::needs_person;
}

}  // namespace repld::cli
