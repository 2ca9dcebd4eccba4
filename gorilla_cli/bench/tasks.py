"""The requests that measure accuracy, as data: what is asked, in which folder, and two commands that do it.

Runs nothing and judges nothing. The files lie in `tasks/` beside this one; those of the split "test" are for measuring
alone, what is tuned is tuned on "dev".
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from gorilla_cli.errors import StateError, UsageError

DATA = Path(__file__).parent / "tasks"
FIXTURES = DATA / "fixtures"
SPLITS = ("dev", "test")
FAMILIES = tuple(
    "finding text archives permissions disk processes dates network git json loops system".split(),
)
DIFFICULTIES = ("easy", "medium", "hard")
TAGS = ("quoting", "pipeline", "rare", "dangerous")
BLANKS = ("", "free")
KINDS = ("chat", "impossible", "outside")


@dataclass(frozen=True)
class Task:
    """One request with two independent gold commands.

    `fixture`: the script that makes the folder it is asked in. `unordered`: the order of the output lines is free.
    `blanks` "free": runs of blanks count as one. `output` False: only what changed counts, not what was printed.
    """

    id: str
    fixture: str
    request: str
    gold: tuple[str, str]
    family: str
    difficulty: str
    tags: tuple[str, ...] = ()
    unordered: bool = False
    blanks: str = ""
    output: bool = True


@dataclass(frozen=True)
class Unanswerable:
    """A request that deserves no command. `kind`: talk, what no shell can do, or what no installed tool can."""

    id: str
    request: str
    kind: str


def load(split: str) -> list[Task]:
    """The tasks of "dev" or "test". Raises UsageError for another split, StateError for a damaged file."""
    return read_tasks(_file("shell", split))


def load_unanswerable(split: str) -> list[Unanswerable]:
    """The requests of "dev" or "test" that deserve no command. Raises as `load`."""
    return read_unanswerable(_file("unanswerable", split))


def read_tasks(path: Path) -> list[Task]:
    """The tasks of one file. Raises StateError naming the file and the row that is wrong."""
    return [_task(row, f"{path.name}, request {number}") for number, row in enumerate(_rows(path), 1)]


def read_unanswerable(path: Path) -> list[Unanswerable]:
    """The requests of one file that deserve no command. Raises as `read_tasks`."""
    return [_unanswerable(row, f"{path.name}, request {number}") for number, row in enumerate(_rows(path), 1)]


def digest(split: str) -> str:
    """SHA-256 over everything a result depends on: the task files of `split` and the fixtures they name."""
    names = {task.fixture for task in load(split)}
    scripts = [path for path in sorted(FIXTURES.glob("*.sh")) if path.name.split(".")[0] in names]
    total = hashlib.sha256()
    for path in (_file("shell", split), _file("unanswerable", split), *scripts):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _file(kind: str, split: str) -> Path:
    if split not in SPLITS:
        raise UsageError(f"there is no split {split!r}", f"one of: {', '.join(SPLITS)}")
    return DATA / f"{kind}_{split}.toml"


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["request"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise StateError(f"cannot read the tasks of {path}: {error}", "install gorilla again") from None


def _task(row: dict[str, Any], where: str) -> Task:
    _check_fields(row, Task, where)
    gold = tuple(command.strip() for command in row["gold"]) if isinstance(row["gold"], list) else ()
    _check(len(gold) == 2 and gold[0] != gold[1] and all(gold), where, "gold must be two different commands")
    task = Task(**{**row, "gold": gold, "tags": tuple(row.get("tags", ()))})
    _check_among(where, "family", [task.family], FAMILIES)
    _check_among(where, "difficulty", [task.difficulty], DIFFICULTIES)
    _check_among(where, "tags", task.tags, TAGS)
    _check_among(where, "blanks", [task.blanks], BLANKS)
    return task


def _unanswerable(row: dict[str, Any], where: str) -> Unanswerable:
    _check_fields(row, Unanswerable, where)
    _check_among(where, "kind", [row["kind"]], KINDS)
    return Unanswerable(**row)


def _check_fields(row: dict[str, Any], kind: type, where: str) -> None:
    defaults = {field.name: field.default for field in fields(kind)}
    needed = {name for name, default in defaults.items() if default is MISSING}
    wrong = sorted(set(row) - set(defaults)) + sorted(needed - set(row))
    _check(not wrong, where, f"unknown or missing: {', '.join(wrong)}")


def _check_among(where: str, name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    odd = [value for value in values if value not in allowed]
    _check(not odd, where, f"{name} cannot be {', '.join(map(repr, odd))}")


def _check(fine: bool, where: str, problem: str) -> None:
    if not fine:
        raise StateError(f"{where}: {problem}", "repair that file")
