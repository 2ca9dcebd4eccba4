"""Runs gorilla as a person would: in this process or in one of its own, on a prebuilt small index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parent.parent

# One answer per verdict, and one that nothing can be made of. `match` is in the request.
ANSWERS = {
    "the safe one": ["echo hello"],
    "three of them": ["echo one", "echo two", "echo three"],
    "the careful one": ["rm note.txt"],
    "the dangerous one": ["rm -rf ~"],
    "nothing": [""],
    "a failing one": ["test 1 = 2"],
    "read stdin": ["wc -c"],
    "documented": ["ls -lah"],
    "an unknown option": ["ls --bogus"],
    "hidden": ["echo a\x1b[2Jb\x07"],
}

PAGE = """\
.TH GREET 1 2026-01-02 "greet 1.0"
.SH NAME
greet \\- say hello to people in many languages
.SH SYNOPSIS
.B greet
[\\fB\\-l\\fR \\fILANGUAGE\\fR] [\\fB\\-\\-shouting\\fR] NAME...
.SH DESCRIPTION
Greets each NAME.
.TP
\\fB\\-l\\fR, \\fB\\-\\-language\\fR=\\fILANGUAGE\\fR
the language to greet in
.TP
\\fB\\-\\-shouting\\fR
in capital letters
"""


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def write_script(path: Path, answers: Mapping[str, list[str]] = ANSWERS) -> str:
    """Write a script of answers; what to give to `--model`. JSON strings are TOML strings."""
    tables = (f"[[answer]]\nmatch = {json.dumps(m)}\ncompletions = {json.dumps(c)}\n" for m, c in answers.items())
    path.write_text("\n".join(tables), encoding="utf-8")
    return f"scripted:{path}"


def write_manpath(folder: Path) -> Path:
    """A manual with one page."""
    (folder / "man1").mkdir(parents=True)
    (folder / "man1" / "greet.1").write_text(PAGE, encoding="utf-8")
    return folder


def build_index(path: Path, manpath: Path) -> Path:
    """The shipped catalogue and the small manual, indexed by the real code."""
    from gorilla_cli import config
    from gorilla_cli.retrieval import writing
    from gorilla_cli.sources.catalogue import CatalogueSource
    from gorilla_cli.sources.man import ManSource

    sources = [CatalogueSource(config.catalogue_dir() / "catalogue"), ManSource(manpath=[manpath])]
    writing.build(path, sources, None)
    return path


def here(arguments: tuple[str, ...], captured: Callable[[], tuple[str, str]]) -> Ended:
    """Run in this process, as a new process would: nothing is remembered from the run before."""
    from gorilla_cli.cli import wiring
    from gorilla_cli.cli.app import run

    for remembered in (wiring.paths, wiring.settings, wiring.installed):
        remembered.cache_clear()
    code = run(list(arguments))
    sys.stdout.flush()
    return Ended(code, *captured())


def apart(*arguments: str, stdin=subprocess.DEVNULL, **options) -> Ended:
    """Run in a process of its own, with this test's environment. `options` go to `subprocess.run`."""
    command = [sys.executable, "-m", "gorilla_cli", *arguments]
    if "input" not in options:
        options["stdin"] = stdin
    options = {"capture_output": True, "timeout": 60, "check": False, **options}
    done = subprocess.run(command, **options)
    out, err = ((part or b"").decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return Ended(done.returncode, out, err)


def environment(**changes: str | None) -> dict[str, str]:
    """This test's environment with `changes`; None takes a variable away."""
    changed = {**os.environ, **{name: value for name, value in changes.items() if value is not None}}
    return {name: value for name, value in changed.items() if changes.get(name, "") is not None}
