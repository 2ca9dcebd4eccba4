"""Where things lie and what the user chose. The only reader of environment, clock and platform below the roof.

Order: flags (given by `cli`) over environment over the user's file over the defaults below.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from gorilla_cli.errors import StateError, UsageError

SHELLS = ("bash", "zsh", "fish", "sh")


@dataclass(frozen=True)
class Settings:
    """What the user can set, with the defaults. Each field is a key of the configuration file."""

    model: str = "qwen2.5-coder-1.5b"
    candidates: int = 2
    docs: str = "auto"  # auto: only when retrieval is sure; on: always; off: never
    shell: str = ""  # "" is the shell gorilla was started from
    threads: int = 0  # 0 is the number of physical cores
    gpu_layers: int = -1  # -1 is all of them, where the build and the machine can
    context_window: int = 4096
    max_tokens: int = 160
    temperature: float = 0.7
    history: bool = True
    background_index: bool = True  # read the long tail of manual pages in the background

    def with_values(self, values: dict[str, object], origin: str) -> Settings:
        """A copy with `values` set. Raises UsageError naming `origin` for an unknown key or a wrong type."""
        known = {field.name: field.default for field in fields(self)}
        changed: dict[str, object] = {}
        for key, value in values.items():
            if key not in known:
                raise UsageError(f"{origin}: no setting is called {key!r}", f"known: {', '.join(known)}")
            changed[key] = _coerce(key, value, type(known[key]), origin)
        return replace(self, **changed)  # type: ignore[arg-type]


CHOICES = {"docs": ("auto", "on", "off"), "shell": ("", *SHELLS)}
RANGES = {
    "candidates": (1, 8),
    "threads": (0, 512),
    "gpu_layers": (-1, 1000),
    "context_window": (512, 131072),
    "max_tokens": (8, 4096),
    "temperature": (0.0, 2.0),
}


_TAKEN: dict[type, tuple[type, ...]] = {str: (), bool: (bool,), int: (int,), float: (int, float)}


def _coerce(key: str, value: object, kind: type, origin: str) -> object:
    """`value` as `kind`, checked against its choices and range. Words from a command line count as values."""
    wrong = UsageError(f"{origin}: {key} cannot be {value!r}", f"it is a {kind.__name__}" + _allowed(key))
    if kind is bool and isinstance(value, str):
        words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
        if value.lower() not in words:
            raise wrong
        return words[value.lower()]
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (str, *_TAKEN[kind])):
        raise wrong
    try:
        result = kind(value)
    except (ValueError, OverflowError):
        raise wrong from None
    low, high = RANGES.get(key, (None, None))
    if result not in CHOICES.get(key, (result,)) or (low is not None and not low <= result <= high):
        raise wrong
    return result


def _allowed(key: str) -> str:
    if key in CHOICES:
        return ", one of: " + ", ".join(repr(choice) for choice in CHOICES[key])
    if key in RANGES:
        return " from {} to {}".format(*RANGES[key])
    return ""


class Paths:
    """The directories of one user. `GORILLA_HOME` puts all of them under one folder."""

    def __init__(self, home: str = "") -> None:
        self._home = home

    @cached_property
    def _dirs(self) -> dict[str, Path]:
        if self._home:
            return {kind: Path(self._home) / kind for kind in ("config", "data", "cache", "state")}
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("gorilla", appauthor=False)
        return {
            "config": dirs.user_config_path,
            "data": dirs.user_data_path,
            "cache": dirs.user_cache_path,
            "state": dirs.user_state_path,
        }

    @property
    def config_file(self) -> Path:
        return self._dirs["config"] / "config.toml"

    @property
    def models(self) -> Path:
        return self._dirs["data"] / "models"

    @property
    def index(self) -> Path:
        return self._dirs["data"] / "index.db"

    @property
    def records(self) -> Path:
        return self._dirs["data"] / "records.db"

    @property
    def tldr(self) -> Path:
        return self._dirs["data"] / "tldr.zip"

    @property
    def cache(self) -> Path:
        return self._dirs["cache"]

    @property
    def history(self) -> Path:
        return self._dirs["state"] / "history.jsonl"

    @property
    def state(self) -> Path:
        return self._dirs["state"]


def paths() -> Paths:
    return Paths(os.environ.get("GORILLA_HOME", ""))


def catalogue_dir() -> Path:
    """The folder of what ships as knowledge: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "index"
    return inside if inside.is_dir() else package.parent / "index"


def load(where: Paths) -> Settings:
    """The settings of this user. Raises UsageError for a bad file, naming it, and StateError when unreadable."""
    file = where.config_file
    settings = Settings()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"cannot read {file}: {error}", "repair or remove that file") from None
    try:
        settings = settings.with_values(tomllib.loads(text), str(file))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{file}: {error}", "run: gorilla config edit") from None
    prefix = "GORILLA_"
    overrides = {
        field.name: os.environ[prefix + field.name.upper()]
        for field in fields(Settings)
        if prefix + field.name.upper() in os.environ
    }
    return settings.with_values(overrides, "environment")


def store(where: Paths, key: str, value: str) -> Settings:
    """Write one setting, keeping the file's comments; returns the new settings. Raises UsageError, StateError."""
    import tomlkit

    settings = Settings().with_values({key: value}, "config set")
    file = where.config_file
    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        document = tomlkit.document()
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.ParseError) as error:
        raise StateError(f"cannot read {file}: {error}", "run: gorilla config edit") from None
    document[key] = getattr(settings, key)
    write_text(file, tomlkit.dumps(document))
    return load(where)


def write_text(file: Path, text: str) -> None:
    """Replace `file` by `text`: written beside it, synced, renamed. Raises StateError; the old file stays then."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
        sync(file.parent)
    except (OSError, UnicodeEncodeError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise StateError(f"cannot write {file}: {reason}", "free some space or check its permissions") from None


def sync(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def current_shell(settings: Settings) -> str:
    """The shell the command is for: the configured one, else the parent process's, else $SHELL, else bash or sh.

    A parent called sh is make or a script, not what the person types into.
    """
    if settings.shell:
        return settings.shell
    for name in (_parent_name(), os.path.basename(os.environ.get("SHELL", ""))):
        if name in SHELLS and name != "sh":
            return name
    return "bash" if os.path.exists("/bin/bash") else "sh"


def _parent_name() -> str:
    try:
        name = Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return name.lstrip("-")


def set_for_libraries(values: Mapping[str, str]) -> None:
    """Set variables for native libraries of this process, where the user has not; no command we run sees them."""
    for name, value in values.items():
        if name not in os.environ:
            os.putenv(name, value)  # not os.environ: that is what commands get


def platform() -> str:
    return "macos" if sys.platform == "darwin" else "linux" if sys.platform.startswith("linux") else sys.platform


def physical_cores() -> int:
    """Physical cores this process may use; hyper-threads slow llama.cpp down. At least 1."""
    allowed = _allowed_cpus()
    cores = set()
    for cpu in allowed:
        base = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(((base / "physical_package_id").read_text(), (base / "core_id").read_text()))
        except OSError:
            return max(1, len(allowed))
    return max(1, len(cores))


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
