"""What the disk takes: the least that a change of the farm can take."""
import os
import statistics
import tempfile
import time

TIMES = 300


def fdatasync_us(folder):
    """Microseconds of appending 4 KiB in `folder` and fdatasync: median and 99th percentile."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(TIMES):
            begin = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]
