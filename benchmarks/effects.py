"""What a command prints and what it changes on disk, found out by running it on a copy of a small folder.

The command sees the machine read-only, the copy at `PLACE`, no network, no home, no other process. It gets `SECONDS`
and a bounded memory; then its whole process group is killed. Nothing here judges whether the effect is the right one.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import math
import os
import re
import shutil
import signal
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

TEMPORARY = "/tmp"  # noqa: S108  each run gets an empty one of its own
PLACE = f"{TEMPORARY}/task"  # the same for every copy, so that printed paths are too
SECONDS = 10.0
MEMORY = 2 << 30
FILE_BYTES = 16 << 20
OUTPUT_BYTES = 1 << 20
PROCESSES = 512
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": TEMPORARY,
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_CONFIG_NOSYSTEM": "1",
    # Two commands that commit the same make the same commit.
    "GIT_AUTHOR_DATE": "2024-03-10T12:00:00Z",
    "GIT_COMMITTER_DATE": "2024-03-10T12:00:00Z",
}
# The parts of a repository that count: what its names point to, what is staged, what is configured.
GIT_STATE = (
    "git symbolic-ref -q HEAD; git rev-parse HEAD; git for-each-ref --format='%(refname) %(objectname)'; "
    "git diff-index --cached HEAD; git config --local --list | sort"
)


@dataclass(frozen=True)
class Entry:
    """One path of a tree: "file", "dir", "link" or "other", its permission bits, and its contents or a digest of it."""

    kind: str
    mode: int
    contents: str


@dataclass(frozen=True)
class Effect:
    """What a run printed (at most OUTPUT_BYTES), the paths it changed (None: gone), and how it ended.

    `repository` is what GIT_STATE says afterwards, when the folder is one.
    """

    printed: bytes
    changed: tuple[tuple[str, Entry | None], ...]
    repository: bytes = b""
    exit_code: int = 0
    timed_out: bool = False


class NoSandbox(Exception):
    """There is no bubblewrap here, or it may not make namespaces."""


def need_sandbox() -> None:
    """Raises NoSandbox, saying what to do, when commands cannot be locked in here."""
    for program, package in (("bwrap", "bubblewrap"), ("prlimit", "util-linux")):
        if shutil.which(program) is None:
            raise NoSandbox(f"{program} is missing, and without it nothing is run: apt-get install {package}")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(locked_in(Path(folder), "true"), capture_output=True, timeout=SECONDS)
    if done.returncode:
        raise NoSandbox(f"bwrap does not work here: {done.stderr.decode(errors='replace').strip()}")


def locked_in(folder: Path, command: str) -> list[str]:
    """The argv that runs `command` in bash with `folder` as its only writable place."""
    limits = f"prlimit --as={MEMORY} --fsize={FILE_BYTES} --nproc={PROCESSES} --cpu={math.ceil(SECONDS)}".split()
    shut = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind", "/", "/"]
    shut += ["--dev", "/dev", "--proc", "/proc"]
    hidden = [path for path in (str(Path.home()), TEMPORARY) if path != "/" and Path(path).is_dir()]
    shut += [word for path in hidden for word in ("--tmpfs", path)]
    shut += ["--bind", str(folder), PLACE, "--chdir", PLACE, "--clearenv"]
    names = [word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)]
    return [*limits, *shut, *names, "--", "bash", "-c", f"umask 022\n{command}"]


def fixture(script: Path, folder: Path) -> Path:
    """`folder`, filled by `script`, which sees no more of the machine than a command does."""
    folder.mkdir(parents=True)
    text = script.read_text(encoding="utf-8")
    printed, code, _ = _run(folder, text)
    if code:
        raise RuntimeError(f"{script.name} ended with {code}: {printed.decode(errors='replace')}")
    return folder


def effect(command: str, original: Path) -> Effect:
    """What `command` prints and changes in a fresh copy of `original`, which stays as it is."""
    with tempfile.TemporaryDirectory() as parent:
        copy = Path(parent) / "copy"
        shutil.copytree(original, copy, symlinks=True)
        printed, code, late = _run(copy, command)
        repository = _run(copy, GIT_STATE)[0] if (original / ".git").exists() else b""
        before, after = tree(original), tree(copy)
        changed = [path for path in sorted(before | after) if before.get(path) != after.get(path)]
        _make_removable(copy)
    return Effect(printed, tuple((path, after.get(path)) for path in changed), repository, code, late)


def _run(folder: Path, command: str) -> tuple[bytes, int, bool]:
    """Standard output, exit code, and whether the time ran out."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            locked_in(folder, command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        late = False
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _kill_group(process)
        output.seek(0)
        return output.read(OUTPUT_BYTES), process.returncode, late


def _kill_group(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _make_removable(folder: Path) -> None:
    """A command may have taken the permissions away that the clean-up needs."""
    folder.chmod(0o700)
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if not path.is_symlink():
                path.chmod(0o700)


def tree(folder: Path) -> dict[str, Entry]:
    """Every path below `folder` but those of `.git`, relative to it."""
    found: dict[str, Entry] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in folders + files:
            path = Path(parent) / name
            found[str(path.relative_to(folder))] = _entry(path)
    return found


def _entry(path: Path) -> Entry:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Entry("link", 0, os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return Entry("dir", mode, "")
    if not stat.S_ISREG(status.st_mode):
        return Entry("other", mode, "")
    return Entry("file", mode, _contents(path))


def _contents(path: Path) -> str:
    """A digest of what is in the file. An archive is what it contains, a JSON file what it says."""
    try:
        data = path.read_bytes()
    except PermissionError:
        return "unreadable"
    for reader in (_archive, _json):
        try:
            text = reader(path.name, data)
        except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, tarfile.TarError, zipfile.BadZipFile):
            continue
        except (lzma.LZMAError, zlib.error):
            continue
        if text is not None:
            return text
    return hashlib.sha256(data).hexdigest()


def _json(name: str, data: bytes) -> str | None:
    return json.dumps(json.loads(data), sort_keys=True) if name.endswith(".json") else None


def _archive(name: str, data: bytes) -> str | None:
    """Names and digests of the members: the order, the dates and the compression level do not count."""
    if re.search(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)$", name):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            members = [(m.name, archive.extractfile(m)) for m in archive if m.isfile()]
            return _members([(name, stream.read(FILE_BYTES)) for name, stream in members if stream])
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            return _members([(info.filename, archive.open(info).read(FILE_BYTES)) for info in infos])
    unpacked = _unpacked(name, data)
    return None if unpacked is None else _members([("", unpacked)])


def _unpacked(name: str, data: bytes) -> bytes | None:
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    opener = openers.get(Path(name).suffix)
    if opener is None:
        return None
    with opener(io.BytesIO(data)) as stream:
        return stream.read(FILE_BYTES)


def _members(files: list[tuple[str, bytes]]) -> str:
    kind = [(name.removeprefix("./"), hashlib.sha256(data).hexdigest()) for name, data in files]
    return repr(sorted(kind))
