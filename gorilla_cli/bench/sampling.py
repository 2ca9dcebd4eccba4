"""Asks a system every request of a list and writes down what it answered: one JSON row per request, at once.

An interrupted run goes on where it stopped. Knows no system and grades nothing; no candidate is run here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from gorilla_cli.bench.systems import Answer
from gorilla_cli.config import write_text
from gorilla_cli.errors import GorillaError, StateError, UsageError
from gorilla_cli.sanitise import one_line, strip

Id = str | int | float
Row = dict[str, Any]

# What must be the same for two runs to be parts of one; the rest of a manifest is told, not compared.
IDENTITY = ("system", "model", "model_sha256", "settings", "seed", "split")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a list. `id` is given back as it was."""

    id: Id
    request: str


@dataclass(frozen=True)
class Manifest:
    """What a run was made with. `commit` is "" outside a checkout, `tasks_sha256` the digest of the list."""

    system: str
    model: str
    model_sha256: str
    settings: dict[str, Any]
    seed: int
    commit: str
    version: str
    split: str
    tasks_sha256: str
    started: str
    platform: str
    llama_cpp: str


class BadRows(UsageError):
    """Rows of a list that are no requests; `rows` says of each where it is and what is wrong."""

    def __init__(self, file: Path, rows: Sequence[str]) -> None:
        count = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
        super().__init__(f"{count} of {file} cannot be asked", 'each line is {"id": "...", "request": "..."}')
        self.rows = tuple(rows)


# ---------------------------------------------------------------- a list of requests


def asked_in(file: Path) -> list[Asked]:
    """The requests of a JSONL file, control characters taken out. Raises UsageError, BadRows."""
    try:
        lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", "give a file of JSON lines") from None
    found: list[Asked] = []
    bad: list[str] = []
    seen: dict[Id, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            asked = _asked(line)
            first = seen.setdefault(asked.id, number)
            if first != number:
                raise ValueError(f"the id {asked.id!r} is that of line {first} too")
            found.append(asked)
        except (ValueError, RecursionError) as error:
            bad.append(f"{file}:{number}: {error}")
    if bad:
        raise BadRows(file, bad)
    return found


def _asked(line: bytes) -> Asked:
    """Raises ValueError saying what is wrong with the line."""
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    missing = [name for name in ("id", "request") if name not in row]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    id, request = row["id"], row["request"]
    if isinstance(id, bool) or not isinstance(id, Id) or (isinstance(id, float) and not math.isfinite(id)):
        raise ValueError("its id is neither a text nor a number")
    if not isinstance(request, str) or not strip(request).strip():
        raise ValueError("its request is no text, or empty")
    return Asked(id, strip(request))


# ---------------------------------------------------------------- asking


def sample(
    asked: Sequence[Asked],
    propose: Callable[[str], Answer],
    file: Path,
    row_of: Callable[[Asked, Answer], Row],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Append a row to `file` for each request that has none there; how many were added.

    `progress` gets (done, total). Raises the GorillaErrors of `propose`, StateError when the file cannot be written,
    UsageError when a line of it is no row.
    """
    waiting = pending(asked, file)
    done = len(asked) - len(waiting)
    progress(done, len(asked))
    added = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a", encoding="utf-8") as stream:
            for one in waiting:
                stream.write(json.dumps(row_of(one, _answer(propose, one.request))) + "\n")
                stream.flush()
                added += 1
                progress(done + added, len(asked))
    except OSError as error:
        raise StateError(f"cannot write {file}: {error.strerror}", "make room and run it again: it goes on") from None
    return added


def _answer(propose: Callable[[str], Answer], request: str) -> Answer:
    """A request that breaks the program is a row with an error: otherwise none after it would ever be asked."""
    try:
        return propose(request)
    except GorillaError:
        raise
    except Exception as error:
        return Answer(error=one_line(f"unexpected {type(error).__name__}: {error}"))


def full_row(asked: Asked, answer: Answer) -> Row:
    """A row of samples.jsonl: what is graded and reported."""
    return {
        "id": asked.id,
        "request": asked.request,
        "candidates": list(answer.candidates),
        "unknown": list(answer.unknown),
        "unmarked": list(answer.unmarked),
        "refused": answer.refused,
        "seconds": round(answer.seconds, 4),
        "tokens": asdict(answer.tokens),
        "error": answer.error,
    }


def short_row(asked: Asked, answer: Answer) -> Row:
    """A row for other programs: the id and the candidates, best first; `error` only when there was one."""
    row = {"id": asked.id, "candidates": list(answer.candidates), "refused": answer.refused}
    row["seconds"] = round(answer.seconds, 4)
    return {**row, "error": answer.error} if answer.error else row


def pending(asked: Sequence[Asked], file: Path) -> list[Asked]:
    """Those of `asked` that `file` has no row of; a row that was not written to its end is cut off."""
    _cut_unfinished(file)
    done = {row["id"] for row in rows_of(file)} if file.exists() else set()
    return [one for one in asked if one.id not in done]


def _cut_unfinished(file: Path) -> None:
    if not file.exists():
        return
    try:
        with open(file, "r+b") as stream:
            data = stream.read()
            stream.truncate(data.rfind(b"\n") + 1)
    except OSError as error:
        raise StateError(f"cannot write {file}: {error.strerror}", "check its permissions") from None


def rows_of(file: Path) -> Iterator[Row]:
    """The rows of a JSONL file of samples or results. Raises UsageError naming file and line."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}", "give a folder that gorilla bench shell wrote") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            fine = isinstance(row["id"], Id) and isinstance(row["candidates" if "candidates" in row else "right"], list)
        except (ValueError, TypeError, KeyError, RecursionError):
            fine = False
        if not fine:
            raise UsageError(f"{file}:{number}: no row of a run", "remove that line, or the file") from None
        yield row


# ---------------------------------------------------------------- manifest


def begin(file: Path, manifest: Manifest, samples: Path, identity: Sequence[str] = IDENTITY) -> None:
    """Write the manifest of a new run; of one that goes on, see that it is the same and bring its digest up to date.

    Raises UsageError when the run was another one, StateError when it cannot be written.
    """
    if not file.exists():
        if samples.exists():
            raise UsageError(f"{samples} is there already, and nothing says what made it", "give another --out")
        write_text(file, json.dumps(asdict(manifest), indent=1) + "\n")
        return
    before = read_manifest(file)
    for name in identity:
        was, now = getattr(before, name), getattr(manifest, name)
        if was != now:
            raise UsageError(f"{samples} is of another {name}: {_difference(was, now)}", "give another --out")
    if before.tasks_sha256 != manifest.tasks_sha256:  # no request that was asked has changed: `check_requests`
        write_text(file, json.dumps(asdict(replace(before, tasks_sha256=manifest.tasks_sha256)), indent=1) + "\n")


def check_requests(asked: Iterable[Asked], samples: Path) -> None:
    """Raises UsageError when a row of `samples` answers another request than the one that has its id now."""
    requests = {one.id: one.request for one in asked}
    _cut_unfinished(samples)
    for row in rows_of(samples) if samples.exists() else ():
        if row["id"] in requests and row.get("request") != requests[row["id"]]:
            raise UsageError(f"{samples}: {row['id']} was another request then", "give another --out")


def _difference(was: object, now: object) -> str:
    if isinstance(was, dict) and isinstance(now, dict):
        names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
        return ", ".join(f"{name} {was.get(name)!r}, not {now.get(name)!r}" for name in names)
    return f"{was!r}, not {now!r}"


def read_manifest(file: Path) -> Manifest:
    """The manifest in `file`. Raises UsageError when there is none."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Manifest(**{field.name: values[field.name] for field in fields(Manifest)})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{file} is no manifest of a run", "give a folder that gorilla bench shell wrote") from None


def commit_of(checkout: Path) -> str:
    """The commit that is checked out in the folder, read from its files; "" when it is no checkout."""
    try:
        git = checkout / ".git"
        if git.is_file():  # a worktree says where its files are
            git = checkout / git.read_text(encoding="utf-8").partition(": ")[2].strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        shared = git / "commondir"
        common = git / shared.read_text(encoding="utf-8").strip() if shared.is_file() else git
        return _commit_of_ref(common, head.removeprefix("ref: "))
    except (OSError, UnicodeDecodeError):
        return ""


def _commit_of_ref(git: Path, name: str) -> str:
    loose = git / name
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip()
    packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")


def digest_of(asked: Iterable[Asked]) -> str:
    """SHA-256 over ids and requests, for a list that is no split of ours."""
    return hashlib.sha256(json.dumps([[one.id, one.request] for one in asked]).encode()).hexdigest()


def sidecar(out: Path) -> Path:
    """Where the manifest of a single file of samples lies: beside it."""
    return out.with_name(out.name.removesuffix(".jsonl") + ".manifest.json")
