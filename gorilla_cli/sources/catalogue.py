"""The records that ship with gorilla: catalogue/*.toml, one table a command. Reads them; does not judge commands."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gorilla_cli.sanitise import strip
from gorilla_cli.types import Doc, Example, Option

PLATFORMS = {"linux", "macos"}
REQUIRED = {"name", "summary", "options", "examples"}
ALLOWED = REQUIRED | {"keywords", "platforms"}


@dataclass(frozen=True)
class CatalogueSource:
    """The records in `folder` or its subfolder "catalogue"; with a `platform`, only those that hold there."""

    folder: Path
    platform: str = ""
    name: str = field(default="catalogue", init=False)

    def ids(self) -> dict[str, str]:
        """Document id -> hash of its record."""
        return {doc.id: doc.stamp for doc in self.docs()}

    def docs(self, skip: Container[str] = ()) -> Iterator[Doc]:
        """The documents not in `skip`. A record that `validate` complains about is left out, so is a second one."""
        seen: set[str] = set()
        for _, record in _records(self.folder):
            if _problems(record) or record["name"] in seen:
                continue
            seen.add(record["name"])
            here = not self.platform or self.platform in record.get("platforms", (self.platform,))
            doc = _document(record)
            if here and doc.id not in skip:
                yield doc


def validate(folder: Path) -> list[str]:
    """The structural faults of all records, one line each: "file: command: problem". Empty when all is well."""
    faults: list[str] = []
    owner: dict[str, str] = {}
    for file, record in _records(folder):
        if isinstance(record, Exception):
            faults.append(f"{file.name}: -: {record}")
            continue
        name = record.get("name") if isinstance(record, dict) else None
        label = name if isinstance(name, str) and name else "-"
        faults.extend(f"{file.name}: {label}: {problem}" for problem in _problems(record))
        if label != "-" and label in owner:
            faults.append(f"{file.name}: {label}: already in {owner[label]}")
        owner.setdefault(label, file.name)
    return faults


def _records(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Each record with its file; in place of the records of a file that cannot be parsed, the exception."""
    inside = folder / "catalogue"
    for file in sorted((inside if inside.is_dir() else folder).glob("*.toml")):
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            yield file, error
            continue
        commands = content.get("command")
        if not isinstance(commands, list) or len(content) != 1:
            yield file, ValueError("not a list of [[command]] tables")
            continue
        for record in commands:
            yield file, record


def _problems(record: Any) -> list[str]:
    """What is wrong with the structure of one record."""
    if not isinstance(record, dict):
        return ["not a table"]
    problems = [f"no {key}" for key in sorted(REQUIRED - record.keys())]
    problems += [f"unknown key {key}" for key in sorted(record.keys() - ALLOWED)]
    problems += [f"{key} is no text" for key in ("name", "summary") if key in record and not _is_text(record[key])]
    for key in ("keywords", "platforms"):
        if not _is_list_of(record.get(key, []), _is_text):
            problems.append(f"{key} is no list of texts")
    for key, width in (("options", 3), ("examples", 2)):
        problems += _row_problems(key, record.get(key, []), width)
    if not problems and not PLATFORMS.issuperset(record.get("platforms", ())):
        problems.append(f"platforms are {', '.join(sorted(PLATFORMS))}")
    return problems


def _row_problems(key: str, rows: Any, width: int) -> list[str]:
    """Rows are lists of `width` strings; only an option's argument (the second of three) may be empty."""
    if not isinstance(rows, list):
        return [f"{key} is no list"]
    return [
        f"{key} {number}: not {width} texts"
        for number, row in enumerate(rows, 1)
        if not _is_list_of(row, lambda text: isinstance(text, str))
        or len(row) != width
        or not all(text.strip() for index, text in enumerate(row) if (width, index) != (3, 1))
    ]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and all(map(kind, value))


def _document(record: dict[str, Any]) -> Doc:
    stamp = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return Doc(
        id=f"catalogue:{strip(record['name'])}",
        source="catalogue",
        program=strip(record["name"]),
        title=strip(record["name"]),
        summary=strip(record["summary"]),
        keywords=tuple(map(strip, record.get("keywords", ()))),
        options=tuple(_option(*map(strip, row)) for row in record["options"]),
        examples=tuple(Example(*map(strip, row)) for row in record["examples"]),
        stamp=stamp[:16],
    )


def _option(names: str, argument: str, description: str) -> Option:
    return Option(tuple(names.split(", ")), argument, description)
