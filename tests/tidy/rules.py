"""The house rules that no compiler and no linter knows, as functions from a file's text to what breaks them.

Each takes (path, text) and returns a list of (line, sentence). Paths are relative to the root, with slashes.
"""

import re
from pathlib import PurePosixPath

FILE_LINES = 500
FUNCTION_LINES = 70

# Which folders of src/ a folder may include, beside itself. http, superviser and tunnel are the server's edges: they
# speak in the domain's types, and never with each other or the store.
FOLDERS = {
    "base": set(),
    "farm": {"base"},
    "match": {"base", "farm"},
    "store": {"base", "farm"},
    "runtime": {"base"},
    "server": {"base", "farm", "match", "store", "runtime"},
    "http": {"base", "farm", "match", "runtime", "server"},
    "superviser": {"base", "farm", "match", "runtime", "server", "proto"},
    "tunnel": {"base", "farm", "runtime", "server"},
    "client": {"base", "runtime"},
    "dryad": {"base", "runtime", "proto"},
    "cli": {"base", "client", "runtime"},
    "proto": {"base", "runtime"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
RAW_STRING = re.compile(r'R"([^\s()\\]{0,16})\(.*?\)\1"', re.DOTALL)


def blank(text, keep_strings=False):
    """`text` with comments, and unless kept strings, turned into spaces; offsets and lines stay as they are."""
    result = []
    at = 0

    def skip(end, keep):
        nonlocal at
        piece = text[at:end]
        result.append(piece if keep else re.sub(r"[^\n]", " ", piece))
        at = end

    def end_of(found, length):
        return len(text) if found < 0 else found + length

    while at < len(text):
        two = text[at:at + 2]
        raw = RAW_STRING.match(text, at) if two == 'R"' else None
        if two == "//":
            skip(end_of(text.find("\n", at), 0), False)
        elif two == "/*":
            skip(end_of(text.find("*/", at + 2), 2), False)
        elif raw:
            skip(raw.end(), keep_strings)
        elif text[at] == '"' or (text[at] == "'" and not (at and (text[at - 1].isalnum()))):
            quote = text[at]
            end = at + 1
            while end < len(text) and text[end] not in (quote, "\n"):
                end += 2 if text[end] == "\\" else 1
            skip(min(end + 1, len(text)), keep_strings)
        else:
            skip(at + 1, True)
    return "".join(result)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def folder_of(path):
    parts = PurePosixPath(path).parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return parts[0]


def is_test(path):
    """Tests and what only they include: fixtures and harnesses."""
    return path.startswith("tests/") or PurePosixPath(path).stem.endswith(("_test", "_fixture", "_harness"))


def matching(code, start):
    """The offset of the bracket that closes the one at `start`, or the end."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] in "([{":
            depth += 1
        elif code[at] in ")]}":
            depth -= 1
            if depth == 0:
                return at
    return len(code)


# The core is pure.

IMPURE = ("asio", "sqlite", "<thread>", "<mutex>", "<random>", "::now()")


def pure_core(path, text):
    if folder_of(path) not in ("farm", "match"):
        return []
    code = blank(text, keep_strings=True).lower()
    found = []
    for word in IMPURE:
        for hit in re.finditer(re.escape(word), code):
            found.append((line_of(code, hit.start()), f"{word} in the pure core"))
    return found


# Folders are layers.


def layers(path, text):
    folder = folder_of(path)
    if folder not in FOLDERS or is_test(path):
        return []
    found = []
    for include in INCLUDE.finditer(blank(text, keep_strings=True)):
        target = PurePosixPath(include.group(2)).parts
        if include.group(1) != '"' or len(target) < 2:
            continue
        if target[0] in FOLDERS or target[0] == "app":
            if target[0] != folder and target[0] not in FOLDERS[folder]:
                found.append((line_of(text, include.start()), f"{folder} may not include {target[0]}"))
    return found


def unknown_folder(path, text):
    del text
    if path.startswith("src/") and folder_of(path) not in FOLDERS and folder_of(path) != "app":
        return [(1, f"the folder {folder_of(path)} has no place among the layers of tests/tidy/rules.py")]
    return []


# Sizes.


def file_size(path, text):
    del path
    lines = text.count("\n")
    return [(lines, f"{lines} lines; {FILE_LINES} at most")] if lines > FILE_LINES else []


TYPE_OR_SCOPE = re.compile(r"^\s*(?:\[\[\w+\]\]\s*)?(?:inline\s+|export\s+|typedef\s+|template\s*<.*>\s*)*"
                           r"(?:namespace|class|struct|union|enum|extern)\b", re.DOTALL)


def scopes(code):
    """Yields (kind, first, last) offsets of the blocks at namespace and class level; kind is "scope" or "function"."""
    stack = []
    header = 0
    at = 0
    while at < len(code):
        char = code[at]
        if char == "#":
            while at < len(code) and code[at] != "\n":
                at += 2 if code[at] == "\\" else 1
            header = at + 1
        elif char == "(":
            at = matching(code, at)
        elif char == ";":
            header = at + 1
        elif char == "}":
            if stack:
                yield ("scope", stack.pop(), at)
            header = at + 1
        elif char == "{":
            text = code[header:at]
            is_initializer = not code[at - 1].isspace() or text.rstrip().endswith("=")
            is_scope = TYPE_OR_SCOPE.match(text) and not text.rstrip().endswith(")")
            if is_initializer:
                at = matching(code, at)
            elif is_scope:
                stack.append(at)
                header = at + 1
            else:
                end = matching(code, at)
                first = header + len(text) - len(text.lstrip())
                yield ("function", first, end)
                at = end
                header = at + 1
        at += 1


def function_size(path, text):
    del path
    code = blank(text)
    found = []
    for kind, first, last in scopes(code):
        lines = line_of(code, last) - line_of(code, first) + 1
        if kind == "function" and lines > FUNCTION_LINES:
            found.append((line_of(code, first), f"a function of {lines} lines; {FUNCTION_LINES} at most"))
    return found


# Headers.


def pragma_once(path, text):
    if path.endswith(".hpp") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        return [(1, "#pragma once is missing")]
    return []


def using_namespace(path, text):
    if not path.endswith(".hpp"):
        return []
    code = blank(text)
    functions = [(first, last) for kind, first, last in scopes(code) if kind == "function"]
    found = []
    for hit in re.finditer(r"\busing\s+namespace\b", code):
        if not any(first < hit.start() < last for first, last in functions):
            found.append((line_of(code, hit.start()), "using namespace in a header reaches everyone who includes it"))
    return found


# Coroutines.


def no_detached(path, text):
    if folder_of(path) == "runtime" or is_test(path):
        return []
    code = blank(text)
    found = []
    for hit in re.finditer(r"\bco_spawn\s*\(", code):
        if re.search(r"\bdetached\b", code[hit.start():matching(code, hit.end() - 1)]):
            found.append((line_of(code, hit.start()), "co_spawn(detached): use runtime::TaskGroup"))
    return found


def awaits(code):
    """Yields (offset, expression) for each co_await."""
    for hit in re.finditer(r"\bco_await\b", code):
        at = hit.end()
        while at < len(code) and code[at] not in ";)]}":
            at = matching(code, at) + 1 if code[at] in "([{" else at + 1
        yield hit.start(), code[hit.end():at]


LAMBDA = re.compile(r"(?:^|[(,={&|?:]|\breturn\b)\s*(\[([^\[\]]*)\]\s*(?:\(|\{|mutable\b|<))")


def awaited_capture(path, text):
    del path
    code = blank(text)
    found = []
    for start, expression in awaits(code):
        if any(hit.group(2).strip() for hit in LAMBDA.finditer(expression)):
            found.append((line_of(code, start), "a capturing lambda inside co_await: name it first (GCC 12 frees it)"))
    return found


def awaited_braces(path, text):
    del path
    code = blank(text)
    found = []
    for start, expression in awaits(code):
        at = expression.find("(")
        while 0 <= at < len(expression):
            if expression[at] == "{":
                before = expression[:at].rstrip()
                # A lambda's body, whose own awaits are looked at by themselves.
                if re.search(r"(\)|\]|\bmutable|\bnoexcept|->\s*[\w:<>&* ]+)$", before):
                    at = matching(expression, at)
                else:
                    found.append((line_of(code, start), "a braced temporary inside co_await: name it first (GCC 12)"))
                    break
            at += 1
    return found


DECLARATION = re.compile(r"\s*[\w:<>,&*\s]+\s[&*]?\w+\s*=[^=]")


def condition_of(code, keyword, opening):
    """What is tested in the parentheses from `opening` on; of one that declares what it tests, nothing."""
    parts = [""]
    at = opening + 1
    end = matching(code, opening)
    while at < end:
        last = matching(code, at) if code[at] in "([{" else at
        if code[at] == ";":
            parts.append("")
        else:
            parts[-1] += code[at:last + 1]
        at = last + 1
    # The last of if's, while's and switch's, the second of for's, none of a for over a range.
    condition = "" if keyword == "for" and len(parts) == 1 else parts[min(len(parts) - 1, 1)]
    return "" if DECLARATION.match(condition) else condition


def awaited_conditions(path, text):
    """A frame whose coroutine awaits in a condition is one step behind from its beginning on: GCC 12 numbers its
    suspension points wrongly. To destroy it before it has begun, as a call does that is cancelled, is undefined."""
    del path
    code = blank(text)
    found = []
    for hit in re.finditer(r"\b(if|while|for|switch)\s*\(", code):
        if re.search(r"\bco_await\b", condition_of(code, hit.group(1), hit.end() - 1)):
            found.append((line_of(code, hit.start()), "co_await in a condition: name what it gives first, as in "
                                                      "if (const bool ok = co_await f(); ok) (GCC 12)"))
    return found


# Words.

OPEN_END = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\([\w-]+\): \S+ \S+)")
# What only makes sense where it was written: one machine's paths, and numbers of tickets.
ELSEWHERE = re.compile("/wo" r"rk/|/ro" r"ot/|\bissue" r" #?\d+|\bsess" r"ion \d+|/tm" r"p/common")


def open_ends(path, text):
    del path
    return [(line_of(text, hit.start()), f"{hit.group(1)} without (owner): and a reason") for hit in
            OPEN_END.finditer(text)]


def elsewhere(path, text):
    del path
    return [(line_of(text, hit.start()), f"{hit.group(0)}: speaks of the place it was written at") for hit in
            ELSEWHERE.finditer(text)]


FOR_CODE = (pure_core, layers, unknown_folder, file_size, function_size, pragma_once, using_namespace, no_detached,
            awaited_capture, awaited_braces, awaited_conditions)
FOR_ALL = (open_ends, elsewhere)
