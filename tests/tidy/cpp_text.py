"""C++ read just far enough to judge its form: without comments and literals, cut into functions."""
import bisect
import re

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)
CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_of(text):
    """The text with comments and literals replaced by blanks; lines and columns stay."""
    return TOKEN.sub(_blank, text)


def functions_of(code):
    """(name, first line, number of lines) of each function; lambdas belong to the function around them.

    A heuristic on braces: whatever opens a brace outside of functions and is neither a container, an
    initialiser nor an enumeration is a function if it has parentheses.
    """
    code = DIRECTIVE.sub(_blank, code)
    stack, header_start, line_of = [], 0, _line_index(code)
    for at, char in ((m.start(), m.group()) for m in re.finditer(r"[{};]", code)):
        inside = stack and stack[-1][0] == "inside" or stack and stack[-1][0] == "function"
        if char == "{":
            header = code[header_start:at]
            kind = "inside" if inside else _kind(header)
            first = header_start + len(header) - len(header.lstrip())
            stack.append((kind, first, header))
            if kind != "member":
                header_start = at + 1
        elif char == "}" and stack:
            kind, first, header = stack.pop()
            if kind == "function":
                yield _name(header), line_of(first), line_of(at) - line_of(first) + 1
            if kind != "member":
                header_start = at + 1
        elif char == ";" and not inside:
            header_start = at + 1


def _kind(header):
    plain = header.strip()
    if re.search(r"\)\s*(noexcept\s*)?:(?!:)[^{]*[\w>]$", plain, re.DOTALL) and not plain.endswith(")"):
        return "member"  # a_{x} in the initialiser list of a constructor; the body comes later
    without_template = re.sub(r"\btemplate\s*<[^{}]*?>\s*(?=\w)", "", plain)
    if CONTAINER.match(without_template) and not re.search(r"\)\s*[\w\s]*$", without_template):
        return "container"
    if "(" in plain and "=" not in plain.split("(")[0].replace("operator==", "").replace("operator=", ""):
        return "function"
    return "container" if CONTAINER.search(without_template) else "inside"


def _name(header):
    match = re.search(r"(~?[\w:]+|operator\S+)\s*\(", header)
    return match.group(1) if match else "?"


def _line_index(code):
    starts = [m.end() for m in re.finditer(r"\n", code)]
    return lambda offset: bisect.bisect_right(starts, offset) + 1
