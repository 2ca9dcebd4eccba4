"""The tables of apicode.toml: what is known of Python callables, attribute names and arguments. Data, no judgement."""

from __future__ import annotations

import functools
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gorilla_cli.types import Level

FILE = Path(__file__).with_name("apicode.toml")
LEVELS = {"safe": Level.INFO, "caution": Level.CAUTION, "dangerous": Level.DANGEROUS}


@dataclass(frozen=True)
class CallRule:
    """What calling something means. `whole`: the entry is a module, so the table of attribute names still applies.

    `needs`: keyword -> the values without which the call is dangerous. `positions`: keyword -> positional index.
    """

    path: str
    level: Level
    why: str = ""
    kind: str = ""
    taint: str = ""
    whole: bool = False
    needs: dict[str, list] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KeywordRule:
    """An argument that matters whatever is called. `only`: the values that are harmless."""

    level: Level
    why: str
    only: tuple[object, ...]


@dataclass(frozen=True)
class CodeRules:
    """All tables. `names` and `paths` are those of the file, with their expressions compiled."""

    calls: dict[str, CallRule]
    methods: dict[str, CallRule]
    keywords: dict[str, KeywordRule]
    names: dict[str, Any]
    paths: dict[str, re.Pattern[str]]
    modules: frozenset[str]
    lone: dict[str, str]  # a telling last name -> its path

    def find(self, path: str) -> CallRule | None:
        """The rule with the longest prefix of `path`, in whole components."""
        parts = path.split(".")
        for count in range(len(parts), 0, -1):
            rule = self.calls.get(".".join(parts[:count]))
            if rule is not None:
                return rule
        return None

    def same(self, path: str) -> str:
        """`path` under the name that the rules use."""
        for _ in range(4):
            for other, name in self.names["same"].items():
                if path == other or path.startswith(other + "."):
                    path = name + path[len(other) :]
                    break
            else:
                return path
        return path

    def is_closed(self, path: str) -> bool:
        """Is it a module that must not be handed on as a value?"""
        return path in self.names["closed"]


@functools.cache
def load_rules() -> CodeRules:
    """The shipped tables."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    names = dict(table["names"])
    for key in ("given", "variables", "obeyed", "ordinary", "reserving"):
        names[key] = re.compile(names[key])
    names["families"] = [(module, re.compile(pattern)) for module, pattern in names["families"]]
    calls = {rule.path: rule for entry in table["rule"] for rule in _calls(entry)}
    methods = {rule.path: rule for entry in table["method"] for rule in _methods(entry)}
    keywords = {name: _keyword(entry) for entry in table["keyword"] for name in entry["names"]}
    paths = {key: re.compile(pattern) for key, pattern in table["paths"].items()}
    modules = frozenset(path.split(".")[0] for path in calls) | sys.stdlib_module_names
    return CodeRules(calls, methods, keywords, names, paths, modules, _lone(calls))


def _lone(calls: dict[str, CallRule]) -> dict[str, str]:
    """Telling names (`load_file`, `HfFolder`) of what is not plainly harmless, the shortest path first."""
    found: dict[str, str] = {}
    for path, rule in sorted(calls.items(), key=lambda item: (item[0].count("."), item[0])):
        name = path.rpartition(".")[2]
        telling = "_" in name.strip("_") or not (name.islower() or name.isupper())
        if telling and "." in path and not rule.whole and (rule.level > Level.INFO or rule.kind):
            found.setdefault(name, path)
    return found


def _calls(entry: dict[str, Any]) -> list[CallRule]:
    given = [(path, True) for path in entry.get("modules", ())] + [(path, False) for path in entry.get("paths", ())]
    return [_rule(entry, path, whole) for path, whole in given]


def _methods(entry: dict[str, Any]) -> list[CallRule]:
    names = entry["names"]
    return [_rule(entry, name, False) for name in (names.split() if isinstance(names, str) else names)]


def _rule(entry: dict[str, Any], path: str, whole: bool) -> CallRule:
    texts = {key: entry.get(key, "") for key in ("why", "kind", "taint")}
    return CallRule(
        path,
        LEVELS[entry["level"]],
        **texts,
        whole=whole,
        needs=entry.get("needs", {}),
        positions=entry.get("positions", {}),
    )


def _keyword(entry: dict[str, Any]) -> KeywordRule:
    only = tuple(None if value == "__none__" else value for value in entry["only"])
    return KeywordRule(LEVELS[entry["level"]], entry["why"], only)
