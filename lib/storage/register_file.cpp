#include "storage/register_file.hpp"

#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace repld::storage {

namespace {

constexpr std::string_view magic = "repld-register ";

error corrupt(std::string why) {
    return {errc::corrupt, "the register file is corrupt", std::move(why), ""};
}

result<std::string> sha256_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
        return error{errc::internal, "could not compute a SHA-256 checksum", "", ""};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) {
        hex += digits[digest[i] >> 4];
        hex += digits[digest[i] & 15];
    }
    return hex;
}

// The number before the next blank, which is taken off as well.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const auto [stop, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto digits = static_cast<std::size_t>(stop - text.data());
    if (ec != std::errc{} || digits >= text.size() || text[digits] != ' ') return std::nullopt;
    text.remove_prefix(digits + 1);
    return number;
}

}  // namespace

result<std::string> encode(std::string_view payload) {
    if (payload.size() > payload_size_max)
        return error{errc::internal, "the register is too large to be stored",
                     "It has " + std::to_string(payload.size()) + " bytes; " +
                         std::to_string(payload_size_max) + " are allowed.",
                     ""};
    auto checksum = sha256_hex(payload);
    if (!checksum) return std::move(checksum).error();
    std::string content(magic);
    content += std::to_string(format_version) + " " + std::to_string(payload.size()) + " " +
               *checksum + "\n";
    content += payload;
    return content;
}

result<std::string> decode(std::string_view content) {
    if (content.empty()) return corrupt("The file is empty.");
    const auto header_end = content.find('\n');
    if (!content.starts_with(magic)) return corrupt("It does not begin with \"repld-register\".");
    if (header_end == std::string_view::npos) return corrupt("The file ends within its header.");
    auto header = content.substr(magic.size(), header_end - magic.size());
    const auto version = take_number(header);
    if (!version) return corrupt("The format version in its header is not readable.");
    if (*version != format_version)
        return corrupt("Its format version is " + std::to_string(*version) +
                       "; this program knows " + std::to_string(format_version) + ".");
    const auto length = take_number(header);
    if (!length) return corrupt("The payload length in its header is not readable.");
    const auto payload = content.substr(header_end + 1);
    if (payload.size() != *length)
        return corrupt("It has " + std::to_string(payload.size()) +
                       " bytes of payload; its header says " + std::to_string(*length) + ".");
    auto expected = encode(payload);
    if (!expected) return std::move(expected).error();
    // Also refuses other spellings of the same header, such as leading zeroes or upper-case digits.
    if (*expected != content) return corrupt("The checksum does not match the payload.");
    return std::string(payload);
}

}  // namespace repld::storage
