"""The public functions and classes of an installed Python package as API records.

Importing a package runs its code. That happens in a child process only (`python_package_child`), isolated from the
current folder and the environment, in an empty home, bounded in time, memory and output; it is not a sandbox: a package
that is installed is trusted to be imported. Nothing out of a docstring is executed, neither there nor here.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gorilla_cli.errors import GorillaError, UsageError
from gorilla_cli.sanitise import one_line, strip
from gorilla_cli.types import ApiRecord, Argument

CHILD = Path(__file__).with_name("python_package_child.py")
SECONDS, EACH_IMPORT = 120, 30
MEMORY = 16 << 30  # address space: big libraries map far more than they use
OUTPUT_BYTES = 128 << 20
CALL_LENGTH = 120
SENTENCE, TEXT = 200, 600
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
KEYWORD, REST = {"KEYWORD_ONLY"}, {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}


@dataclass(frozen=True)
class PythonPackage:
    """What can be called in `package` (its import name), as installed for the interpreter `python`.

    The package is imported once per instance, when `ids` or `records` is first used. `seconds` bounds that as a whole,
    `memory` in bytes the address space of the child; the submodules not reached in time are told in `problems`.
    """

    package: str
    python: str = sys.executable
    seconds: int = SECONDS
    memory: int = MEMORY

    @property
    def name(self) -> str:
        return f"python:{self.package}"

    def ids(self) -> dict[str, str]:
        """Record id -> stamp, a hash of all that the record says. Raises GorillaError, UsageError."""
        return {record.id: record.stamp for record in self._found.records}

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]:
        """The records not in `skip`, by module and name. Raises GorillaError when the package cannot be imported,
        UsageError when that is no name of a package.
        """
        return (record for record in self._found.records if record.id not in skip)

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each submodule that was left out, with the reason."""
        return self._found.problems

    @cached_property
    def _found(self) -> _Found:
        if not NAME.fullmatch(self.package):
            raise UsageError(f"{one_line(self.package)!r} is not the name of a package", "give what is imported: json")
        lines, ended = _run(self.python, self.package, self.seconds, self.memory)
        found = _Found(self.package)
        for line in lines:
            with contextlib.suppress(KeyError, TypeError, ValueError):  # not from our child's own code
                found.take(line)
        return found.checked(ended)


@dataclass
class _Found:
    """What one child told, as it is read."""

    package: str
    facts: dict[str, str] = field(default_factory=dict)
    by_id: dict[str, ApiRecord] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    whole: bool = False

    @property
    def records(self) -> list[ApiRecord]:
        return list(self.by_id.values())

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self.told)

    def take(self, line: dict[str, Any]) -> None:
        kind = line.get("kind")
        if kind == "failed":
            self._fail(one_line(str(line["why"])), [one_line(name) for name in line["provides"]])
        elif kind == "package":
            self.facts = {key: one_line(str(value)) for key, value in line.items()}
        elif kind == "skipped":
            self.told.append(f"{one_line(str(line['name']))}: {one_line(str(line['why']))}")
        elif kind == "call":
            record = _record(self.package, self.facts, line)
            self.by_id.setdefault(record.id, record)
        elif kind == "end":
            self.whole = True

    def checked(self, ended: str) -> _Found:
        """Itself, when something came. `ended`: how the child ended, "" when by itself."""
        if not self.facts:
            self._fail(ended or "python ended while importing it", [])
        if not self.whole:
            self.told.append(
                f"{self.package}: what comes after {len(self.by_id)} calls is missing: {ended or 'cut off'}"
            )
        return self

    def _fail(self, why: str, provides: list[str]) -> None:
        named = f"{self.package} is imported as: {', '.join(provides)}"
        hint = named if provides else "install it beside gorilla, with the same pip"
        raise GorillaError(f"cannot import {self.package}: {why}", hint)


def _run(python: str, package: str, seconds: int, memory: int) -> tuple[list[dict[str, Any]], str]:
    """The JSON objects that the child printed, and why it was ended: "" when it ended by itself."""
    each = min(EACH_IMPORT, max(1, seconds // 2))
    argv = [python, "-I", "-B", str(CHILD), package, str(memory), str(seconds), str(each)]
    with tempfile.TemporaryDirectory(prefix="gorilla-") as home, tempfile.TemporaryFile() as out:
        environment = {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "LC_ALL": "C.UTF-8", "HF_HUB_OFFLINE": "1"}
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=home,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise GorillaError(f"cannot start {one_line(python)}: {error.strerror}", "check that Python") from None
        with child:
            ended = _copy(child, out, seconds)
        out.seek(0)
        return [value for line in out if (value := _object(line))], ended


def _copy(child: subprocess.Popen[bytes], out: Any, seconds: int) -> str:
    """Write what `child` prints to `out` until it ends, or is ended with all that it started; the reason then."""
    import threading

    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(child)

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        whole = _drain(child.stdout, out)
        if whole and hasattr(os, "waitid"):
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # so that its number stays taken until _kill
        elif whole:
            child.wait()
    finally:
        timer.cancel()
        timer.join()
        _kill(child)
    code = child.wait()
    if not whole:
        return f"it says more than {OUTPUT_BYTES >> 20} MiB"
    return f"it takes more than {seconds} s" if late.is_set() else _ended(code)


def _drain(pipe: Any, out: Any) -> bool:
    """Copy all of `pipe` to `out`; False when it is too much."""
    done = 0
    while chunk := pipe.read1(1 << 20):
        done += len(chunk)
        if done > OUTPUT_BYTES:
            return False
        out.write(chunk)
    return True


def _ended(code: int) -> str:
    if code >= 0:
        return f"python ended with code {code}" if code else ""
    return f"python was ended by {signal.Signals(-code).name}"


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started in its session."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _object(line: bytes) -> dict[str, Any] | None:
    """One line of the child; the package can write there too, so anything else is left out."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _record(package: str, facts: dict[str, str], line: dict[str, Any]) -> ApiRecord:
    """The record of one call as the child describes it."""
    name, module = one_line(str(line["name"])), one_line(str(line["module"]))
    doc = _Docstring.parse(strip(str(line["doc"])), name)
    known = line["parameters"] is not None
    parameters = [[strip(str(text)) for text in one] for one in line["parameters"] or ()]
    call = f"{name}({_arguments(parameters)})" if known else f"{name}(...)"
    record = ApiRecord(
        id=" ".join(f"python:{package}:{call}".split()),
        source=f"python:{package}",
        domain=package.split(".")[0],
        framework=_framework(package, facts),
        functionality=doc.summary or name.rpartition(".")[2].replace("_", " "),
        api_name=name,
        api_call=call,
        api_arguments=tuple(_argument(one, doc) for one in parameters),
        environment_requirements=(facts["distribution"],) if facts.get("distribution") else (),
        example_code=doc.example or f"import {module}\n\n{call}\n" if known else "",
        description=doc.description,
        licence=facts.get("licence", ""),
    )
    return replace(record, stamp=hashlib.sha256(repr(record).encode("utf-8", "replace")).hexdigest()[:16])


def _framework(package: str, facts: dict[str, str]) -> str:
    version = facts.get("version", "")
    return version if version.startswith("Python ") else f"{package.split('.')[0]} {version}".strip()


def _arguments(parameters: list[list[str]]) -> str:
    """The arguments of a call: those required under their own names, then those with a default, while it stays short.

    What stands behind one that had to be left out is given by name, and left out where it has none.
    """
    words, gap, length = [], False, 0
    for name, kind, _type, default in parameters:
        word = _word(name, kind, default, gap)
        gap = gap or kind == "VAR_POSITIONAL" or not word
        length += len(word) + 2
        if word and (not default or length <= CALL_LENGTH):
            words.append(word)
    return ", ".join(words)


def _word(name: str, kind: str, default: str, gap: bool) -> str:
    if kind in REST:
        return f"{REST[kind]}{name}"
    if not default:
        return f"{name}={name}" if kind in KEYWORD or (gap and kind != "POSITIONAL_ONLY") else name
    if not _is_source(default) or (gap and kind == "POSITIONAL_ONLY"):
        return ""
    return default if kind == "POSITIONAL_ONLY" else f"{name}={default}"


def _is_source(text: str) -> bool:
    """Is it the source of a value that means the same anywhere: no name, no `<object at 0x...>`, no `...`?"""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return value is not ...


def _argument(parameter: list[str], doc: _Docstring) -> Argument:
    name, kind, annotated, default = parameter
    documented, description = doc.arguments.get(name, ("", ""))
    return Argument(
        name=REST.get(kind, "") + name,
        type=annotated or documented,
        description=description,
        required=not default and kind not in REST,
        default=default,
        choices=_choices(annotated or documented),
    )


def _choices(text: str) -> tuple[str, ...]:
    """The values that `Literal["a", "b"]` or a documented {'a', 'b'} allows; empty for any other type."""
    match = re.fullmatch(r"(?:typing\.)?Literal\[(.+)\]|\{([^{}]+)\}(?:,? optional)?", text)
    if match is None:
        return ()
    try:
        values = ast.literal_eval(f"({match[1] or match[2]},)")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ()
    return tuple(map(str, values))


@dataclass(frozen=True)
class _Docstring:
    """What a docstring says. `arguments`: name -> type, description."""

    summary: str = ""
    description: str = ""
    arguments: dict[str, list[str]] = field(default_factory=dict)
    example: str = ""

    @staticmethod
    def parse(text: str, name: str) -> _Docstring:
        """Google's, NumPy's, Sphinx's and Epydoc's sections, read by docstring-parser; else the first paragraph."""
        import docstring_parser

        text = _without_signature(text, name.rpartition(".")[2])
        first = one_line(text.split("\n\n", 1)[0])
        try:
            found = docstring_parser.parse(text)
            told = [(one.arg_name, _line(one.type_name), _line(one.description)) for one in found.params]
            arguments = {name.strip(" *"): said for names, *said in told for name in names.split(",")}
        except Exception:  # the library raises many kinds of error on odd docstrings
            arguments = {}
        return _Docstring(_sentence(first), first[:TEXT], arguments, _example(text))


def _without_signature(text: str, name: str) -> str:
    """C functions repeat their signature, `dot(a, b, out=None)`, in the first paragraph."""
    first, _, rest = text.partition("\n\n")
    return rest.lstrip() if re.match(rf"(\w+ = )?{re.escape(name)}\(.*\)", first, re.DOTALL) else text


def _line(text: str | None) -> str:
    return one_line(text or "")[:TEXT]


def _sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0][:SENTENCE]


def _example(text: str) -> str:
    """The source lines of the first documented interactive example, as they stand; for reading, never run."""
    import doctest

    try:
        found = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return ""
    return "".join(one.source for one in found[:5])[:TEXT]
