"""What a command prints, changes and leaves running, found out by running it on a copy of a small folder.

Needs Linux and bubblewrap. The command sees the programs and `/etc` of this machine read-only, an invented user and
host, the copy at `PLACE`, a loopback network of its own and no other process. It runs as a user without rights
(one that owns nothing, when root measures), gets `SECONDS`, and then everything it started is killed. Nothing here
judges whether an effect is the right one.

What this does not protect from: errors of the kernel; reading what anybody may read under /usr, /opt, /etc and /sys
(it can end up in the recorded output); slowing down other programs for `SECONDS`; filling the disk, until it is
stopped, by what can be written in `STEP` seconds beyond `DISK_BYTES`; using the memory of `PROCESSES` processes of
`MEMORY` bytes together (the kernel ends these first when there is none left); cheating, as by writing to the report
of its own sandbox. It is for the mistakes of a model, not for programs written to break out.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gorilla_cli.bench.trees import Entry, tree, walk
from gorilla_cli.errors import Missing, StateError
from gorilla_cli.sanitise import one_line

TEMPORARY = "/tmp"  # noqa: S108  each run gets an empty one of its own
PLACE = f"{TEMPORARY}/task"  # the same for every copy, so that printed paths are too
SECONDS = 10.0
STEP = 0.1
MEMORY = 2 << 30  # address space of one process
FILE_BYTES = 16 << 20
DISK_BYTES = 128 << 20
ENTRIES = 20_000
SCRATCH_BYTES = 64 << 20  # each of the folders that live in memory
OUTPUT_BYTES = 1 << 20
PROCESSES = 256
NOBODY = 64321  # what root becomes: the kernel does not count the processes of root, and this user owns no file
USER, HOST = "user", "machine"
INSIDE = 1000
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": TEMPORARY,
    "USER": USER,
    "LOGNAME": USER,
    "SHELL": "/bin/bash",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_CONFIG_NOSYSTEM": "1",
    # Two commands that commit the same make the same commit.
    "GIT_AUTHOR_DATE": "2024-03-10T12:00:00Z",
    "GIT_COMMITTER_DATE": "2024-03-10T12:00:00Z",
}
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/etc", "/sys")
ETC = {
    "passwd": f"root:x:0:0:root:/root:/bin/bash\n{USER}:x:{INSIDE}:{INSIDE}:{USER}:{TEMPORARY}:/bin/bash\n",
    "group": f"root:x:0:\n{USER}:x:{INSIDE}:\n",
    "hostname": f"{HOST}\n",
    "hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t{HOST}\n",
}
SCRIPTS = "/.sandbox"
LISTING = "ps -ww -e -o pid=,ni=,stat=,args="
# The first process of a sandbox. The scripts are files, so that `pkill -f` finds a command's words in no other process;
# each is a session of its own, so that `kill 0` ends only itself. Processes that were told to end get a second for it.
INIT = f"""\
exec 3> {SCRIPTS}/report
echo 1000 > /proc/self/oom_score_adj
ulimit -c 0 -v {MEMORY >> 10} -f {FILE_BYTES >> 10} -t {math.ceil(SECONDS)} -u {PROCESSES}
umask 022
if [ -f {SCRIPTS}/before ]; then
  setsid bash {SCRIPTS}/before > /dev/null 2>&1 3>&-
  echo "before $?" >&3
fi
setsid bash {SCRIPTS}/command 3>&-
echo "command $?" >&3
if [ -f {SCRIPTS}/before ]; then
  for _ in {{1..20}}; do
    now=$(ps -ww -e -o args= 3>&-)
    [ "$now" = "$last" ] && break
    last=$now
    sleep 0.05
  done
  {LISTING} >&3
fi
"""
# The parts of a repository that count: what its names point to, what is staged, what is configured.
GIT_STATE = (
    "git symbolic-ref -q HEAD; git rev-parse HEAD; git for-each-ref --format='%(refname) %(objectname)'; "
    "git diff-index --cached HEAD; git config --local --list | sort"
)


@dataclass(frozen=True)
class Effect:
    """What a run printed (at most OUTPUT_BYTES), the paths it changed (None: gone), and how it ended.

    `repository` is what GIT_STATE says afterwards, when the folder is one. `processes`, of a fixture that starts some:
    what still lives then, as sorted lines of niceness, "T" when stopped (else "-"), and arguments.
    `timed_out`: it was killed because its time, or the disk it may fill, was used up.
    """

    printed: bytes
    changed: tuple[tuple[str, Entry | None], ...]
    repository: bytes = b""
    processes: tuple[str, ...] = ()
    exit_code: int = 0
    timed_out: bool = False


class NoSandbox(Missing):
    """There is no bubblewrap here, or it may not make namespaces."""


class BrokenFixture(StateError):
    """The script of a fixture failed, so nothing can be measured in it."""


@dataclass(frozen=True)
class _Ended:
    printed: bytes
    said: str
    report: str
    code: int
    timed_out: bool

    @property
    def exit_code(self) -> int:
        """Of the command; of bwrap when it came to none."""
        return self.exits.get("command", self.code)

    @property
    def exits(self) -> dict[str, int]:
        """Exit code by script."""
        rows = [line.split() for line in self.report.splitlines()[:2]]
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[0] in ("before", "command")}


def need_sandbox() -> None:
    """Raises NoSandbox, saying what to do, when commands cannot be locked in here."""
    for program, package in (("bwrap", "bubblewrap"), ("setsid", "util-linux"), ("ps", "procps")):
        if shutil.which(program) is None:
            hint = f"on Debian or Ubuntu, run: apt-get install {package}"
            raise NoSandbox(f"{program} is missing, and without it no command is run", hint)
    with scratch() as folder:
        done = _run(folder, "exit 7")
    if done.exits.get("command") != 7:
        raise NoSandbox(
            f"bwrap cannot lock commands in here: {done.said}", "allow unprivileged user namespaces (man bwrap)"
        )


def fixture(script: Path, folder: Path) -> Path:
    """`folder`, filled by `script`, which sees no more of the machine than a command does. Raises BrokenFixture."""
    with scratch() as place:
        ended = _run(place, script.read_text(encoding="utf-8"))
        if ended.exits.get("command") != 0:
            raise BrokenFixture(f"{script.name} ended with {ended.exit_code}: {ended.said}", "repair that script")
        _copy(place, folder)
    return folder


def effect(command: str, original: Path, before: str = "") -> Effect:
    """What `command` does in a fresh copy of `original`, which stays as it is.

    `before` is a script that runs just before it in the same sandbox, as to start processes; what it changes on disk
    counts as changed by the command. Raises BrokenFixture when it fails.
    """
    with scratch() as copy:
        _copy(original, copy)
        _give_away(copy)
        ended = _run(copy, command, before)
        if before and ended.exits.get("before") != 0:
            how = f"ended with {ended.exits['before']}" if "before" in ended.exits else "did not end in time"
            raise BrokenFixture(f"the script before the command {how}", "repair it, or try on a less busy machine")
        with_git = any(os.path.isdir(folder / ".git") for folder in (original, copy))  # Path.is_dir raises
        repository = _run(copy, GIT_STATE).printed if with_git else b""
        old, new = tree(original), tree(copy)
    changed = [path for path in sorted(old | new) if old.get(path) != new.get(path)]
    return Effect(
        ended.printed,
        tuple((path, new.get(path)) for path in changed),
        repository,
        _processes(ended.report),
        ended.exit_code,
        ended.timed_out,
    )


def absent(programs: list[str]) -> list[str]:
    """Those of `programs` that a command finds neither on its PATH nor in its shell."""
    with scratch() as folder:
        (folder / "names").write_text("".join(f"{name}\n" for name in programs), encoding="utf-8", errors="replace")
        loop = 'while IFS= read -r name; do command -v -- "$name" > /dev/null || printf "%s\\n" "$name"; done < names'
        return _run(folder, loop).printed.decode(errors="replace").splitlines()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder that the user of the sandbox owns, removed at the end whatever was made of it."""
    parent = Path(tempfile.mkdtemp(prefix="bench-"))
    folder = parent / "task"
    folder.mkdir()
    parent.chmod(0o711)
    _give_away(folder)
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", "--", parent], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--", parent], stderr=subprocess.DEVNULL)


def _copy(source: Path, target: Path) -> None:
    """The contents of `source` with dates, modes and hard links into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--", f"{source}/.", target], check=True, stdin=subprocess.DEVNULL)


def _give_away(folder: Path) -> None:
    """To the user of the sandbox; a link itself, not what it points to."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-Rh", f"{NOBODY}:{NOBODY}", "--", folder], check=True)


def _run(folder: Path, command: str, before: str = "") -> _Ended:
    """Runs both in one sandbox. `said` is what went to stderr, of bwrap too."""
    with contextlib.ExitStack() as stack:
        output, said, about = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        scripts = stack.enter_context(_scripts(command, before))
        process = _start(_locked_in(folder, scripts), output.fileno(), said.fileno(), about.fileno())
        try:
            late = not _ends(process, folder)
        finally:
            _kill(process, about.fileno())
        printed, words = (os.pread(stream.fileno(), OUTPUT_BYTES, 0) for stream in (output, said))
        report = (scripts / "report").read_text(encoding="utf-8", errors="replace")
    return _Ended(printed, one_line(words.decode(errors="replace"))[:400], report, process.returncode, late)


@contextlib.contextmanager
def _scripts(command: str, before: str) -> Iterator[Path]:
    """A folder with what the sandbox runs and what it shows in `/etc`."""
    with tempfile.TemporaryDirectory(prefix="bench-") as parent:
        folder = Path(parent)
        folder.chmod(0o755)
        files = {"init": INIT, "command": command + "\n", **ETC, **({"before": before} if before else {})}
        for name, text in files.items():
            (folder / name).write_bytes(text.replace("\0", "").encode("utf-8", "backslashreplace"))
        (folder / "report").touch()
        _give_away(folder / "report")
        yield folder


def _locked_in(folder: Path, scripts: Path) -> list[str]:
    """The arguments of bwrap that run the scripts in bash with `folder` as the only place that stays."""
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"]
    words += ["--uid", str(INSIDE), "--gid", str(INSIDE), "--hostname", HOST]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in ETC:
        if (Path("/etc") / name).is_file():
            words += ["--ro-bind", str(scripts / name), f"/etc/{name}"]
    words += ["--ro-bind", str(scripts), SCRIPTS, "--bind", str(scripts / "report"), f"{SCRIPTS}/report"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for place in ("/dev/shm", "/var/tmp", "/run", TEMPORARY):  # noqa: S108
        words += ["--size", str(SCRATCH_BYTES), "--tmpfs", place]
    words += ["--bind", str(folder), PLACE, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", PLACE]
    return [*words, "--", "bash", f"{SCRIPTS}/init"]


def _start(words: list[str], output: int, said: int, about: int) -> subprocess.Popen[bytes]:
    """bwrap, which writes to `about` which process it started."""
    nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        [shutil.which("bwrap") or "bwrap", "--info-fd", str(about), *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=said,
        pass_fds=[about],
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
        **nobody,
    )


def _ends(process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Whether it ends by itself within its time and its share of the disk."""
    for _ in range(math.ceil(SECONDS / STEP)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STEP)
            return True
        if _too_big(folder):
            return False
    return False


def _too_big(folder: Path) -> bool:
    size = 0
    for number, found in enumerate(walk(folder)):
        with contextlib.suppress(OSError):
            size += found.stat(follow_symlinks=False).st_blocks * 512
        if number > ENTRIES or size > DISK_BYTES:
            return True
    return False


def _kill(process: subprocess.Popen[bytes], about: int) -> None:
    """Ends the first process of the sandbox, with which the kernel ends every other one of it, and waits for that.

    Killing bwrap would do the same, but a little later than it is gone itself.
    """
    if process.poll() is None:
        try:
            os.kill(json.loads(os.pread(about, 4096, 0))["child-pid"], signal.SIGKILL)
        except (ValueError, KeyError, OSError):  # bwrap came to none
            process.kill()
        process.wait()


def _processes(report: str) -> tuple[str, ...]:
    """The lines of LISTING without the sandbox's own two and without those that are dead but not yet collected."""
    found = []
    for line in report.splitlines()[2:]:
        pid, niceness, state, words = line.split(None, 3)
        if pid != "1" and state[0] != "Z" and words.rstrip() != LISTING:
            found.append(f"{niceness} {'T' if state[0] == 'T' else '-'} {words.rstrip()}")
    return tuple(sorted(found))
