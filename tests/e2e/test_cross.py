"""An agent built for another processor, emulated on this one, serves like any other; scripts/cross runs this."""

import os
import re

import pytest

from farm import DRYAD, ROOT

pytestmark = pytest.mark.skipif("BORUTA_DRYAD" not in os.environ, reason="BORUTA_DRYAD names no emulated agent")


def machine(program):
    """The ELF header's e_machine."""
    with open(program, "rb") as file:
        header = file.read(20)
    return int.from_bytes(header[18:20], "little")


def test_an_emulated_agent_registers_prepares_and_serves_a_job(farm):
    assert machine(DRYAD[-1]) != machine("/proc/self/exe"), "that is an agent for this machine"
    farm.start_server()
    dryad = farm.start_dryad("board-1", {"board": "x"})
    listed = farm.boruta(farm.admin(), "workers").out
    assert re.search(r"^board-1 +IDLE\b", listed, re.MULTILINE), listed

    done = farm.boruta(farm.user("alice"), "run", "board=x", "--put", ROOT / "LICENSE", "--", "cat", "LICENSE")
    assert (done.code, done.out) == (0, (ROOT / "LICENSE").read_text()), done
    farm.admin().await_worker(dryad.uuid, "IDLE")
    assert not list(dryad.job_dir.glob("LICENSE")), "the job's files went with it"
    assert dryad.stop() == 0
