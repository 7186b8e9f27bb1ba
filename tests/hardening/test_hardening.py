"""The programs have the build's hardening, and the test would see it if they lacked some of it."""

import os
import subprocess
from pathlib import Path

import pytest

import hardening

PROGRAMS = ("borutad", "dryad", "dryad-root", "boruta", "boruta-board")
COMPILER = os.environ.get("BORUTA_CXX", "g++")

SOURCE = r"""
#include <cstring>
#include <string>

[[gnu::noinline]] void fill(char* at, const char* text) {
  char copy[64 * 1024];
  std::strcpy(copy, text);
  std::memcpy(at, copy, std::strlen(text) + 1);
}

int main(int count, char** words) {
  char small[16];
  fill(small, words[count - 1]);
  return std::string(small).empty() ? 1 : 0;
}
"""
FLAGS = ("-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection", "-U_FORTIFY_SOURCE",
         "-D_FORTIFY_SOURCE=3", "-Wl,-z,relro,-z,now,-z,noexecstack")
# What is taken away, and a word of the sentence that must come of it alone.
LACKS = {
    "pie": (("-fno-PIE", "-no-pie"), "fixed address"),
    "relro": (("-Wl,-z,norelro",), "relocations writable"),
    "now": (("-Wl,-z,lazy",), "binds its symbols late"),
    "stack": (("-Wl,-z,execstack",), "executable stack"),
    "protector": (("-fno-stack-protector",), "no stack protector"),
    "fortify": (("-U_FORTIFY_SOURCE",), "unchecked"),
    "cf": (("-fcf-protection=none",), "endbr64"),
    "clash": (("-fno-stack-clash-protection",), "guard page"),
}


def built(folder, *flags):
    source, program = folder / "small.cpp", folder / "small"
    source.write_text(SOURCE)
    subprocess.run([COMPILER, *FLAGS, *flags, str(source), "-o", str(program)], check=True)
    return program


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_is_hardened(name):
    assert hardening.defects(Path(os.environ["BORUTA_BIN"]) / name) == []


def test_nothing_is_said_of_a_program_that_lacks_nothing(tmp_path):
    assert hardening.defects(built(tmp_path)) == []


@pytest.mark.parametrize("lack", LACKS)
def test_a_program_that_lacks_a_part_is_told_of_that_part(tmp_path, lack):
    flags, words = LACKS[lack]
    found = hardening.defects(built(tmp_path, *flags))
    assert len(found) == 1 and words in found[0]
