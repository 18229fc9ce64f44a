"""Rules about C++: what may include what, what may not be called, how long things may be."""
import ast
import collections
import re

import cpp_text
from tree import CPP, Finding

PROGRAMS = ("lib/", "daemon/", "cli/")
INCLUDE = re.compile(r'\s*#\s*include\s*(?P<open>["<])(?P<name>[^">]+)[">]')

FILE_LINES = 450
FUNCTION_LINES, FUNCTION_AIM = 100, 70
COLUMNS = 100

ASIO_HEADERS = {"lib/net/asio.hpp", "lib/net/asio_ssl.hpp"}
# Tools of lib/net that name no peer and no wire: every part that waits may use them.
SHARED_NET = {"net/asio.hpp", "net/spawn.hpp"}
APART = {("net", "postgres"), ("postgres", "net")}
# Parts of the standard library that do I/O, wait or read a clock; the core has no use for them.
NOT_IN_CORE = set("""barrier condition_variable csignal cstdio ctime filesystem fstream future iostream latch
    mutex semaphore shared_mutex stop_token syncstream thread""".split())
STANDARD = NOT_IN_CORE | set("""algorithm any array atomic bit bitset cassert cctype cerrno charconv chrono cinttypes
    climits cmath compare complex concepts coroutine cstdarg cstddef cstdint cstdlib cstring cuchar cwchar cwctype deque
    exception forward_list functional initializer_list iomanip ios iosfwd istream iterator limits list locale map
    memory memory_resource new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator set
    source_location span sstream stack stdexcept streambuf string string_view system_error tuple type_traits typeindex
    typeinfo unordered_map unordered_set utility valarray variant vector version""".split())

FORBIDDEN = [
    (re.compile(r"\bsleep_(for|until)\b|\bu?sleep\s*\(|\bnanosleep\s*\("), "blocks the event loop; wait on a timer"),
    (re.compile(r"\bstd::system\s*\(|(?<![\w:.>])(?:::)?system\s*\("), "no shell; lib/process starts programs"),
    (re.compile(r"(?<![\w.>])popen\s*\("), "no shell; lib/process starts programs"),
    (re.compile(r"\bsystem_clock\b|\bgettimeofday\b|\bstd::time\s*\("), "no wall clock; see lib/platform/boottime.hpp"),
    (re.compile(r"\bstd::s?rand\b|(?<![\w:.>])s?rand\s*\("), "not a source of randomness; use <random>"),
]
FORBIDDEN_IN_CORE = [
    (re.compile(r"\w+_clock::now\b|\bclock_gettime\b"), "the core reads no clock; `now` is an argument"),
    (re.compile(r"\brandom_device\b"), "the core draws no chance; the seed is an argument"),
]


def includes(tree, path):
    for line, text in tree.lines(path):
        match = INCLUDE.match(text)
        if match:
            yield line, match["open"], match["name"]


def core_is_pure(tree):
    for path in tree.having(CPP, ["lib/core/"]):
        for line, opened, name in includes(tree, path):
            if opened == '"' and not name.startswith("core/"):
                yield Finding(path, line, "core-includes", f'"{name}" is not of core/')
            elif opened == "<" and name in NOT_IN_CORE:
                yield Finding(path, line, "core-includes", f"<{name}> does I/O, waits or knows the time")
            elif opened == "<" and name not in STANDARD:
                yield Finding(path, line, "core-includes", f"<{name}> is not a header of standard C++")


def includes_go_one_way(tree):
    """No folder of lib reaches itself through another one, nothing includes upwards, every name is found."""
    edges = collections.defaultdict(dict)  # folder -> folder it includes -> the first place
    for path in tree.having(CPP, ["lib/"]):
        folder = path.split("/")[1]
        for line, opened, name in includes(tree, path):
            target = name.split("/")[0]
            if opened == '"' and not tree.exists(f"lib/{name}"):
                yield Finding(path, line, "lib-includes", f'"{name}" is not a file below lib/')
            elif opened == '"' and target != folder and name not in SHARED_NET:
                edges[folder].setdefault(target, (path, line, name))
                if (folder, target) in APART:
                    yield Finding(path, line, "lib-includes", f'lib/{folder} may not include "{name}"')
    for start in sorted(edges):
        for target, (path, line, name) in sorted(edges[start].items()):
            if start in _reachable(edges, target):
                yield Finding(path, line, "include-cycle", f'"{name}": lib/{target} leads back to lib/{start}')


def _reachable(edges, start):
    seen, ahead = set(), [start]
    while ahead:
        for target in edges.get(ahead.pop(), {}):
            if target not in seen:
                seen.add(target)
                ahead.append(target)
    return seen


def programs_are_apart(tree):
    other = {"daemon": "cli", "cli": "daemon"}
    for path in tree.having(CPP, ["daemon/", "cli/"]):
        folder = path.split("/")[0]
        for line, opened, name in includes(tree, path):
            if opened != '"':
                continue
            beside = tree.exists(f"{folder}/{name}") or tree.exists(f"{folder}/{name}.in")
            if name.startswith(other[folder] + "/") or not beside and not tree.exists(f"lib/{name}"):
                yield Finding(path, line, "program-includes", f'"{name}" is neither of {folder}/ nor of lib/')


def asio_has_one_door(tree):
    for path in tree.having(CPP):
        for line, _, name in includes(tree, path):
            if re.match(r"boost/asio\b", name) and path not in ASIO_HEADERS:
                yield Finding(path, line, "asio-include", f"<{name}>; include net/asio.hpp or net/asio_ssl.hpp")


def forbidden_calls(tree):
    for path in tree.having(CPP, PROGRAMS):
        rules = FORBIDDEN + (FORBIDDEN_IN_CORE if path.startswith("lib/core/") else [])
        for line, code in enumerate(cpp_text.code_of(tree.text(path)).splitlines(), 1):
            for pattern, why in rules:
                match = pattern.search(code)
                if match:
                    yield Finding(path, line, "forbidden-call", f"{match.group().strip()}: {why}")


def headers_have_pragma_once(tree):
    for path in tree.having([".hpp"]):
        if not re.search(r"^#pragma once$", tree.text(path), re.MULTILINE):
            yield Finding(path, 1, "pragma-once", "a header begins with #pragma once")


def lines_fit(tree):
    for path in tree.having(CPP):
        long = [line for line, text in tree.lines(path) if len(text) > COLUMNS]
        if long:
            yield Finding(path, long[0], "line-length", f"{len(long)} lines, from here on, are over {COLUMNS} columns")


def files_are_short(tree):
    for path in tree.having(CPP + (".py", ".sh", ".cmake", "CMakeLists.txt")):
        count = len(tree.text(path).splitlines())
        if count > FILE_LINES:
            yield Finding(path, count, "file-length", f"{count} lines; {FILE_LINES} are the limit")


def functions(tree):
    """(path, name, first line, number of lines) of every function in C++ and Python."""
    for path in tree.having(CPP):
        for name, line, count in cpp_text.functions_of(cpp_text.code_of(tree.text(path))):
            yield path, name, line, count
    for path in tree.having([".py"]):
        for node in ast.walk(ast.parse(tree.text(path), path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield path, node.name, node.lineno, node.end_lineno - node.lineno + 1


def functions_are_short(tree):
    for path, name, line, count in functions(tree):
        if count > FUNCTION_LINES:
            yield Finding(path, line, "function-length", f"{name}: {count} lines; {FUNCTION_LINES} are the limit")


def long_functions(tree):
    """Not findings: functions between the aim and the limit, longest first."""
    long = [(count, path, line, name) for path, name, line, count in functions(tree)
            if FUNCTION_AIM < count <= FUNCTION_LINES]
    return [f"{path}:{line}: {name} has {count} lines" for count, path, line, name in sorted(long, reverse=True)]


RULES = [core_is_pure, includes_go_one_way, programs_are_apart, asio_has_one_door, forbidden_calls,
         headers_have_pragma_once, lines_fit, files_are_short, functions_are_short]
