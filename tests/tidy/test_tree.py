"""The tree keeps the house rules."""

import pathlib
import shutil
import subprocess

import pytest

import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMATTER = "clang-format-19"


def tracked(*patterns):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--", *patterns], check=True, capture_output=True)
    names = listed.stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def text_of(name):
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def findings(rule, names):
    return [f"{name}:{line}: {sentence}" for name in names for line, sentence in rule(name, text_of(name))]


def show(found):
    assert not found, "\n" + "\n".join(found)


@pytest.fixture(scope="module", name="sources")
def all_sources():
    names = tracked("*.cpp", "*.hpp")
    assert names, "no sources: is this a git checkout?"
    return names


@pytest.mark.parametrize("rule", rules.FOR_CODE, ids=lambda rule: rule.__name__)
def test_the_sources_keep(rule, sources):
    show(findings(rule, sources))


@pytest.mark.parametrize("rule", rules.FOR_ALL, ids=lambda rule: rule.__name__)
def test_all_text_keeps(rule):
    # The recordings are data, and the rules' own tests must show what they forbid.
    names = [name for name in tracked() if not name.startswith(("tests/contract/v1/", "tests/tidy/", "LICENSE"))]
    show(findings(rule, names))


def test_the_sources_are_formatted(sources):
    assert shutil.which(FORMATTER), f"{FORMATTER} is missing: scripts/setup installs it"
    checked = subprocess.run([FORMATTER, "--dry-run", "-Werror", *sources], cwd=ROOT, capture_output=True, text=True,
                             check=False)
    assert checked.returncode == 0, checked.stderr[-8000:]
