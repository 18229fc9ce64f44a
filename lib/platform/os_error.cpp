#include "platform/os_error.hpp"

#include <system_error>

namespace repld::platform {

error os_error(const std::string& what, int number, errc code) {
    return error{code, what + ": " + std::generic_category().message(number)};
}

}  // namespace repld::platform
