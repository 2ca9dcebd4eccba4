"""`gorilla doctor`: every part: found, version, works, and what to do when it does not."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from gorilla_cli import __version__
from gorilla_cli.cli import wiring
from gorilla_cli.errors import ExitCode, GorillaError, IndexMissing

REBUILD = {
    "CUDA": 'CMAKE_ARGS="-DGGML_CUDA=on" pip install --force-reinstall --no-cache-dir llama-cpp-python==0.3.36',
    "Metal": 'CMAKE_ARGS="-DGGML_METAL=on" pip install --force-reinstall --no-cache-dir llama-cpp-python==0.3.36',
}


@dataclass(frozen=True)
class Check:
    """One part. `todo` is the next step; empty when nothing is to be done."""

    part: str
    works: bool
    detail: str
    todo: str = ""


@click.command(epilog="\b\nExamples:\n  gorilla doctor\n  gorilla doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> int:
    """Check every part and say what to do. Exit code 1 when something needed does not work."""
    checks = [_guarded(part, check) for part, check in PARTS.items()]
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        for check in checks:
            print(f"{'ok  ' if check.works else 'FAIL'} {check.part:<10} {check.detail}")
            if check.todo:
                print(f"     {'':<10} -> {check.todo}")
    return ExitCode.DONE if all(check.works for check in checks) else ExitCode.FAILURE


def _guarded(part: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except GorillaError as error:
        return Check(part, False, str(error), error.hint)
    except Exception as error:  # a broken installation must not stop the other checks
        return Check(part, False, f"{type(error).__name__}: {error}", "reinstall gorilla")


def _python() -> Check:
    return Check("gorilla", True, f"{__version__}, Python {platform.python_version()}, {platform.platform()}")


def _settings() -> Check:
    wiring.settings()
    file = wiring.paths().config_file
    return Check("settings", True, f"{file}{'' if file.exists() else ' (not there: defaults)'}")


def _shell() -> Check:
    from gorilla_cli.config import current_shell

    name = current_shell(wiring.settings())
    found = shutil.which(name)
    return Check(
        "shell", bool(found), found or f"{name} is not installed", "" if found else "gorilla config set shell sh"
    )


def _llama() -> Check:
    from gorilla_cli.backends.llama_context import build_report

    report = build_report()
    detail = f"llama-cpp-python {report['version']}, devices: {report['devices']}"
    return Check("llama.cpp", True, detail, "" if report["gpu"] == "yes" else _gpu_advice())


def _gpu_advice() -> str:
    """The line that rebuilds llama.cpp for the GPU of this machine, or for one it might get."""
    if platform.system() == "Darwin":
        return f"built for the CPU only; for Metal: {REBUILD['Metal']}"
    seen = "there is an NVIDIA GPU; to use it" if shutil.which("nvidia-smi") else "with an NVIDIA GPU"
    return f"built for the CPU only; {seen}: {REBUILD['CUDA']}"


def _model() -> Check:
    store, name = wiring.store(), wiring.settings().model
    store.path(name)
    stored = store.info(name)
    return Check(
        "model", True, f"{name}, {stored.size / 1e6:,.0f} MB, sha256 {stored.sha256[:12]}..., {stored.licence}"
    )


def _answers() -> Check:
    """Does the model really run: one short completion."""
    from gorilla_cli.types import Prompt, Sampling

    running = wiring.backend(wiring.stored_model(wiring.settings().model))
    generation = running.generate(Prompt("", "The first letters of the alphabet: a b c"), Sampling(n=1, max_tokens=4))
    text = generation.completions[0].text
    return Check("answers", bool(text.strip()), f"{running.info.backend}, prompt {generation.prompt_ms:.0f} ms", "")


def _index() -> Check:
    from gorilla_cli.cli.index import _reader

    stats, counts = _reader().stats(), _reader().sources()
    detail = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return Check("index", bool(stats), f"{detail} documents")


def _records() -> Check:
    from gorilla_cli.cli import api_wiring

    index = api_wiring.records()
    try:
        detail = ", ".join(f"{name} {count:,}" for name, count in index.sources().items())
    except IndexMissing:
        return Check("records", True, "no API records yet; the first gorilla api reads those that ship")
    pull = f"to find them by meaning too: gorilla model pull {api_wiring.ENCODER} && gorilla index build"
    return Check("records", True, f"API records: {detail or 'none'}", "" if index.stats()["vectors"] else pull)


def _sqlite() -> Check:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
    return Check("sqlite", True, f"{sqlite3.sqlite_version} with FTS5")


def _manual() -> Check:
    for tool in ("mandoc", "man"):
        if shutil.which(tool):
            slow = "" if tool == "mandoc" else "mandoc would read pages about ten times as fast"
            return Check("manual", True, f"{tool} reads manual pages", slow)
    return Check("manual", True, "no man or mandoc: only the shipped catalogue is used", "install man-db or mandoc")


def _parser() -> Check:
    from gorilla_cli.verifiers.parser import Parser

    with Parser() as parser:
        parsed = parser.parse("echo hello | wc -c")
    return Check("parser", len(parsed.commands) == 2, "tree-sitter-bash in its own process")


def _disk() -> Check:
    available = shutil.disk_usage(_existing(wiring.paths().models)).free
    todo = "" if available > 2e9 else "less than 2 GB free: a model may not fit"
    return Check("disk", True, f"{available / 1e9:,.1f} GB free for models", todo)


def _existing(path):
    return path if path.exists() else _existing(path.parent)


PARTS: dict[str, Callable[[], Check]] = {
    "gorilla": _python,
    "settings": _settings,
    "shell": _shell,
    "llama.cpp": _llama,
    "model": _model,
    "answers": _answers,
    "sqlite": _sqlite,
    "index": _index,
    "records": _records,
    "manual": _manual,
    "parser": _parser,
    "disk": _disk,
}
