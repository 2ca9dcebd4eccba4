"""API records from files: JSON lines in Gorilla's ten fields or the API Zoo's, normalised and validated.

Rows of one call are one record. A bad row is skipped and told with its file and line; nothing is half-read. No code
of a document is run, no call is judged.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gorilla_cli.sources import apizoo, record_fields
from gorilla_cli.sources.figures import figures
from gorilla_cli.sources.record_rows import Row, rows
from gorilla_cli.types import ApiRecord, Figure

MAX_CALL = 4096
MAX_PROBLEMS = 1000
MAX_TEXT = 20_000  # characters of joined descriptions
MAX_CODE = 40_000
KINDS = ("python", "http")
TEXTS = ("domain", "framework", "api_name", "licence")
TEXT_OR_LIST = ("functionality", "description", "requests", "questions", "languages")


class WrongRow(ValueError):
    """Why a row is no record."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a file holds: its rows, the records they make, how many rows were skipped, and why (at most
    MAX_PROBLEMS lines)."""

    rows: int
    records: int
    skipped: int
    problems: tuple[str, ...]


class RecordFile:
    """A RecordSource: the records of one file. Reads it on each call, since it may have changed.

    `name` is that of the source: "records:NAME", or given whole when it has a colon. Raises StateError when the file
    cannot be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name if ":" in name else f"records:{name}"
        self._report: Report | None = None

    @property
    def rows(self) -> int:
        """Rows seen, good and bad."""
        return self._read().rows

    @property
    def problems(self) -> tuple[str, ...]:
        """One text of the form FILE:LINE: MESSAGE for each row that was skipped."""
        return self._read().problems

    @property
    def report(self) -> Report:
        return self._read()

    def ids(self) -> dict[str, str]:
        """Record id -> hash of the normalised record."""
        return {record.id: record.stamp for record in self.records()}

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]:
        """The records whose id is not in `skip`, in the order in which their last rows come.

        The file is read twice, so that only the rows of repeated calls are held in memory.
        """
        left, self._report = self._survey()
        waiting: dict[str, list[ApiRecord]] = {}
        for _, record in self._usable():
            left[hash(record.id)] -= 1
            if record.id in skip:
                continue
            parts = [*waiting.pop(record.id, ()), record]
            if left[hash(record.id)] > 0:
                waiting[record.id] = parts
            else:
                yield merged(parts)
        for parts in waiting.values():  # the file changed meanwhile
            yield merged(parts)

    def _read(self) -> Report:
        if self._report is None:
            _, self._report = self._survey()
        return self._report

    def _survey(self) -> tuple[Counter[int], Report]:
        """How often each call comes, and what is wrong with which rows."""
        calls: Counter[int] = Counter()
        problems: list[str] = []
        seen = skipped = 0
        for row, record in self._usable(all_rows=True):
            seen += 1
            if isinstance(record, ApiRecord):
                calls[hash(record.id)] += 1
                continue
            skipped += 1
            if skipped <= MAX_PROBLEMS:
                problems.append(f"{self.path}:{row.line}: {record}")
        if skipped > MAX_PROBLEMS:
            problems.append(f"{self.path}: {skipped - MAX_PROBLEMS} further rows were skipped")
        return calls, Report(seen, len(calls), skipped, tuple(problems))

    def _usable(self, all_rows: bool = False) -> Iterator[tuple[Row, Any]]:
        """Each row with its record; with `all_rows` the bad ones too, with the reason in its place."""
        for row in rows(self.path):
            try:
                yield row, _record(row, self.name)
            except WrongRow as error:
                if all_rows:
                    yield row, error


def check(path: Path) -> Report:
    """What a records file holds and what is wrong with it. Raises StateError when it cannot be read."""
    return RecordFile(path, "check").report


def from_row(row: dict[str, Any], source: str) -> ApiRecord:
    """The record of one row in Gorilla's fields or the API Zoo's. Raises WrongRow, naming the field."""
    if apizoo.is_contribution(row):
        wrong = apizoo.problems(row)
        if wrong:
            raise WrongRow("; ".join(wrong))
        if apizoo.is_link(row):
            raise WrongRow("api_url: valid, but a link is not a call")
        row = apizoo.as_row(row)
    _check_types(row)
    return with_stamp(_normalised(row, source))


def to_row(record: ApiRecord) -> dict[str, Any]:
    """A row that `from_row` reads as the same record again, in Gorilla's field names and ours; absent ones left out."""
    row: dict[str, Any] = {
        "domain": record.domain,
        "framework": record.framework,
        "functionality": record.functionality,
        "api_name": record.api_name,
        "api_call": record.api_call,
        "api_arguments": [_without_defaults(asdict(argument)) for argument in record.api_arguments],
        "python_environment_requirements": list(record.environment_requirements),
        "example_code": record.example_code,
        "performance": record.performance,
        "description": record.description,
        "figures": [asdict(figure) for figure in record.figures],
    }
    ours = {"requests": list(record.requests), "licence": record.licence, "languages": list(record.languages)}
    row |= {key: value for key, value in ours.items() if value}
    row |= {"downloads": record.downloads} if record.downloads is not None else {}
    row |= {"documents": record.documents} if record.documents > 1 else {}
    return row | ({"kind": record.kind} if record.kind != "python" else {})


def merged(parts: list[ApiRecord]) -> ApiRecord:
    """One record out of those of one call: the most frequent domain, every text once, arguments and figures united."""
    if len(parts) == 1:
        return parts[0]
    return with_stamp(
        replace(
            parts[0],
            domain=_most(part.domain for part in parts),
            framework=_most(part.framework for part in parts),
            api_name=_most(part.api_name for part in parts),
            functionality=_joined("; ", (part.functionality for part in parts)),
            description=_joined(" ", (part.description for part in parts)),
            performance=_joined("; ", (part.performance for part in parts))[: record_fields.MAX_PERFORMANCE].strip(),
            api_arguments=record_fields.united(argument for part in parts for argument in part.api_arguments),
            environment_requirements=_every(part.environment_requirements for part in parts),
            example_code=_most(part.example_code for part in parts),
            figures=_every(part.figures for part in parts),
            requests=_every(part.requests for part in parts),
            licence=_most(part.licence for part in parts),
            languages=_every(part.languages for part in parts),
            documents=sum(part.documents for part in parts),
            downloads=max((part.downloads for part in parts if part.downloads is not None), default=None),
        )
    )


def with_stamp(record: ApiRecord) -> ApiRecord:
    """The record with the hash of all its other fields."""
    content = json.dumps(asdict(replace(record, stamp="")), sort_keys=True, ensure_ascii=False)
    return replace(record, stamp=hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()[:16])


def _record(row: Row, source: str) -> ApiRecord:
    if row.problem:
        raise WrongRow(row.problem)
    if not isinstance(row.value, dict):
        raise WrongRow("not an object")
    return from_row(row.value, source)


def _check_types(row: dict[str, Any]) -> None:
    call = row.get("api_call")
    if not isinstance(call, str) or not record_fields.line(call):
        raise WrongRow("api_call: missing" if call is None or isinstance(call, str) else "api_call: no text")
    if len(call) > MAX_CALL:
        raise WrongRow(f"api_call: longer than {MAX_CALL} characters")
    for key in TEXTS:
        if row.get(key) is not None and not isinstance(row[key], str):
            raise WrongRow(f"{key}: no text")
    for key in TEXT_OR_LIST:
        value = row.get(key)
        if value is not None and not isinstance(value, str) and not _texts(value):
            raise WrongRow(f"{key}: neither text nor a list of texts")
    _check_ours(row)


def _check_ours(row: dict[str, Any]) -> None:
    for name, least in (("downloads", 0), ("documents", 1)):
        if row.get(name) is not None and (type(row[name]) is not int or row[name] < least):
            raise WrongRow(f"{name}: no count")
    if row.get("kind") is not None and row["kind"] not in KINDS:
        raise WrongRow(f"kind: is one of {', '.join(KINDS)}")
    for key in ("api_arguments", "example_code", "python_environment_requirements"):
        if isinstance(row.get(key), (bool, int, float)):
            raise WrongRow(f"{key}: neither text, list nor object")
    given = row.get("figures")
    if given is not None and not (isinstance(given, list) and all(map(_is_figure, given))):
        raise WrongRow("figures: no list of metric, dataset and value")


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_figure(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("metric"), str):
        return False
    number = value.get("value")
    finite = type(number) in (int, float) and abs(number) < 1e30
    return finite and isinstance(value.get("dataset", ""), str)


def _normalised(row: dict[str, Any], source: str) -> ApiRecord:
    call = record_fields.block(row["api_call"]).strip()
    description = " ".join(record_fields.lines(row.get("description")))[:MAX_TEXT].strip()
    return ApiRecord(
        id=f"{source}:{' '.join(call.split())}",
        source=source,
        domain=record_fields.line(row.get("domain")),
        framework=record_fields.line(row.get("framework")),
        functionality="; ".join(record_fields.lines(row.get("functionality"))),
        api_name=record_fields.line(row.get("api_name")),
        api_call=call,
        api_arguments=record_fields.arguments(row.get("api_arguments")),
        environment_requirements=record_fields.requirements(row.get("python_environment_requirements")),
        example_code=record_fields.code(row.get("example_code"))[:MAX_CODE].rstrip(),
        performance=record_fields.performance_text(row.get("performance")),
        description=description,
        figures=_figures(row, description),
        requests=record_fields.lines(row.get("requests")) + record_fields.lines(row.get("questions")),
        licence=record_fields.line(row.get("licence")),
        languages=record_fields.lines(row.get("languages")),
        downloads=row.get("downloads"),
        documents=row.get("documents") or 1,
        kind=row.get("kind") or "python",
    )


def _figures(row: dict[str, Any], description: str) -> tuple[Figure, ...]:
    """The figures a row lists as such, else those in its performance and description."""
    if row.get("figures") is None:
        return figures(row.get("performance"), description)
    text = record_fields.line
    return tuple(
        dict.fromkeys(Figure(text(f["metric"]), text(f.get("dataset", "")), float(f["value"])) for f in row["figures"])
    )


def _without_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items() if value}


def _most(values: Iterable[str]) -> str:
    """The most frequent text that is not empty, the first of equally frequent ones."""
    counts = Counter(filter(None, values))
    return counts.most_common(1)[0][0] if counts else ""


def _joined(separator: str, values: Iterable[str]) -> str:
    """Each text once, the most frequent first; texts that differ in case or a full stop only are one."""
    counts: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for value in filter(None, values):
        key = value.lower().rstrip(". ")
        counts[key] += 1
        spelled.setdefault(key, value)
    return separator.join(spelled[key] for key, _ in counts.most_common())[:MAX_TEXT].strip()


def _every(values: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(item for items in values for item in items))
