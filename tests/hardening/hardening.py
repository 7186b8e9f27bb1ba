#!/usr/bin/env python3
"""Says what of the build's hardening a program lacks; readelf and objdump know.

Usage: hardening.py PROGRAM…     one line a defect; exit code 1 if there are any
"""

import re
import subprocess
import sys

PAGE = 4096
# A program that copies nothing has no call that could be checked.
FORTIFIABLE = re.compile(r"^(?:mem(?:cpy|move|set|pcpy)|str(?:n?cpy|n?cat)|v?s?n?printf|v?fprintf|read|recv|recvfrom|poll|"
                         r"readlink|realpath|getcwd|fread|fgets|longjmp)$")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def imports(path):
    """The names of the functions that the program takes from libraries, without versions."""
    table = output("readelf", "-W", "--dyn-syms", path)
    return {match.group(1) for match in re.finditer(r"\bUND\s+([\w.]+)", table)}


def machine_of(path):
    return re.search(r"Machine:\s+(.*)", output("readelf", "-hW", path)).group(1)


def layout_defects(path):
    """What the ELF headers and the dynamic section lack."""
    text = output("readelf", "-hldW", path)
    stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}([RWE ]+?)\s+0x", text)
    bound = re.search(r"\(BIND_NOW\)|\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b", text)
    if not re.search(r"Type:\s+DYN\b", text):
        yield "is loaded at a fixed address: -fPIE -pie"
    if "GNU_RELRO" not in text:
        yield "keeps its relocations writable: -Wl,-z,relro"
    if not bound:
        yield "binds its symbols late: -Wl,-z,now"
    if not stack or "E" in stack.group(1):
        yield "has an executable stack: -Wl,-z,noexecstack"


def call_defects(path):
    """What the imported functions tell of the compiler's checks."""
    names = imports(path)
    if "__stack_chk_fail" not in names:
        yield "has no stack protector: -fstack-protector-strong"
    plain = sorted(name for name in names if FORTIFIABLE.match(name))
    if plain and not any(re.fullmatch(r"__\w+_chk", name) for name in names):
        yield f"calls {', '.join(plain)} unchecked: -D_FORTIFY_SOURCE=3"


def code_defects(path):
    """What only the instructions show; on amd64."""
    if "X86-64" not in machine_of(path):
        return
    with subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True) as dump:
        marked, leap = look_at_code(dump.stdout)
    if not marked:
        yield "has a main that does not begin with endbr64: -fcf-protection"
    if leap:
        yield f"moves the stack by {leap} bytes at once, past a guard page: -fstack-clash-protection"


def look_at_code(lines):
    """Whether `main` begins with endbr64, and the largest step of the stack pointer that is above a page, or 0."""
    marked, leap, previous = False, 0, ""
    for line in lines:
        if "endbr64" in line and previous.endswith("<main>:\n"):
            marked = True
        elif "sub " in line:
            step = re.search(r"\bsub\s+\$0x([0-9a-f]+),%rsp", line)
            if step and PAGE < int(step.group(1), 16) < 1 << 31:
                leap = max(leap, int(step.group(1), 16))
        previous = line
    return marked, leap


def defects(path):
    """Sentences, one for each part of the hardening that `path` lacks."""
    return [*layout_defects(path), *call_defects(path), *code_defects(path)]


def main(paths):
    found = [f"{path}: {defect}" for path in paths for defect in defects(path)]
    print("\n".join(found) if found else "hardened")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
