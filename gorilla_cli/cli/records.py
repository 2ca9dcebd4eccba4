"""The part of `gorilla index` that is about API records: adding, listing, validating, removing them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli.cli import api_wiring
from gorilla_cli.errors import IndexMissing, UsageError

if TYPE_CHECKING:
    from gorilla_cli.protocols import RecordSource


def add(kind: str, what: tuple[str, ...], name: str, terminal) -> None:
    """`gorilla index add` for a source of API records. Raises UsageError, StateError."""
    _check(kind, what, name)
    source = {"records": _file, "python": _package, "openapi": _openapi, "hub": _hub}[kind](what, name, terminal)
    status = source.path.stat() if kind == "records" else None  # before it is read: a later change must be seen
    index = api_wiring.made(terminal)
    change = api_wiring.take_in(index, source, terminal)
    terminal.say(
        f"{source.name}: {change.added:,} added, {change.changed:,} changed, {change.removed:,} removed, "
        f"{change.kept:,} as before"
    )
    if status:
        index.remember(source.name, source.path.resolve(), status.st_mtime_ns, status.st_size)


def _check(kind: str, what: tuple[str, ...], name: str) -> None:
    if len(what) != (kind != "hub"):
        count = "no" if kind == "hub" else "one"
        raise UsageError(f"index add {kind} takes {count} argument", EXAMPLES[kind])
    if name and kind != "records":
        raise UsageError("--name is for a file of records", EXAMPLES["records"])


EXAMPLES = {
    "records": "gorilla index add records ./my_apis.jsonl",
    "python": "gorilla index add python json",
    "openapi": "gorilla index add openapi ./petstore.yaml",
    "hub": "gorilla index add hub",
}


def _file(what: tuple[str, ...], name: str, terminal) -> RecordSource:
    path = Path(what[0])
    if not path.is_file():
        raise UsageError(f"there is no file {what[0]}", EXAMPLES["records"])
    return api_wiring.record_file(path, f"records:{name or path.stem}")


def _package(what: tuple[str, ...], name: str, terminal) -> RecordSource:
    from gorilla_cli import registry

    terminal.say(f"{what[0]} is imported in a process of its own to read its signatures")
    return registry.factory("sources", "python")(what[0], sys.executable)


def _openapi(what: tuple[str, ...], name: str, terminal) -> RecordSource:
    from gorilla_cli import registry

    location = what[0] if "://" in what[0] else Path(what[0])
    return registry.factory("sources", "openapi")(location, api_wiring.fetched)


def _hub(what: tuple[str, ...], name: str, terminal) -> RecordSource:
    from gorilla_cli import registry

    return registry.factory("sources", "hub")(api_wiring.fetched, api_wiring.hub_endpoint())


def counts() -> dict[str, int]:
    """How many API records each source gave; empty without an index of them."""
    try:
        return api_wiring.records().sources()
    except IndexMissing:
        return {}


def remove(source: str, terminal) -> None:
    """Take out a source of records, or one record by its id. Raises UsageError when there is neither."""
    index, there = api_wiring.records(), counts()
    if source in there:
        terminal.say(f"removed {index.remove(source):,} API records of {source}")
    elif there and index.remove_record(source):
        terminal.say(f"removed {source}")
    else:
        known = ", ".join(("catalogue", "man", "tldr", *there))
        raise UsageError(f"the index has no source or record {source!r}", f"sources: {known}")


def search(query: str, k: int, as_json: bool) -> None:
    """Print the records most like `query`, best first, one to a line or as JSON. Raises IndexMissing, StateError."""
    from gorilla_cli.sanitise import one_line

    hits = api_wiring.records().search(query, k)
    if as_json:
        print(json.dumps([{"record": h.record.id, "score": h.score, **_said(h.record)} for h in hits]))
        return
    for hit in hits:
        print(f"{hit.score:7.3f}  {one_line(hit.record.id)}  {one_line(hit.record.functionality)}")


def _said(record) -> dict[str, str]:
    return {"call": record.api_call, "domain": record.domain, "functionality": record.functionality}


def show(id: str) -> str:
    """A record as text, "" when there is none with this id or call."""
    from gorilla_cli.sanitise import show as harmless

    try:
        index = api_wiring.records()
        record = index.record(id) or index.by_call(id)
    except IndexMissing:
        return ""
    if record is None:
        return ""
    fields = ("id", "domain", "framework", "functionality", "api_name", "api_call", "performance", "licence")
    lines = [f"{name}: {getattr(record, name)}" for name in fields if getattr(record, name)]
    lines += [f"figure: {one.metric} {one.value:g} {one.dataset}".rstrip() for one in record.figures]
    lines += [f"argument: {one.name} {one.type} {one.description}".rstrip() for one in record.api_arguments]
    lines += ["description:", record.description, "example:", record.example_code]
    return harmless("\n".join(line for line in lines if line))
