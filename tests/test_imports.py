"""What a cheap call may load. `--help`, `--version` and completion answer before anything heavy is imported."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.command_line import environment

HEAVY = {
    "numpy", "llama_cpp", "torch", "transformers", "prompt_toolkit", "rich", "asyncio", "huggingface_hub", "sqlite3",
    "tree_sitter", "tree_sitter_bash", "rank_bm25", "Stemmer", "tomlkit", "platformdirs", "importlib.metadata",
    "urllib.request", "http.client", "multiprocessing", "subprocess",
}  # fmt: skip
# The modules of ours that each call may load.
VERSION = {"gorilla_cli", "gorilla_cli.__main__"}
HELP = VERSION | {
    f"gorilla_cli.{name}"
    for name in ("cli", "cli.app", "cli.route", "cli.ask", "cli.wiring", "errors", "sanitise", "config", "registry")
}
COMPLETION = HELP | {f"gorilla_cli.cli.{name}" for name in ("model", "index", "config", "history", "setup", "doctor")}
COMPLETION |= {"gorilla_cli.cli.completion"}

CALLS = {
    "--version": (["--version"], {}, VERSION, 0),
    "--help": (["--help"], {}, HELP, 0),
    "model --help": (["model", "--help"], {}, COMPLETION, 0),
    "a wrong option": (["--bogus", "x"], {}, HELP, 2),
    **{
        f"completing {words!r}": (
            [],
            {"_GORILLA_COMPLETE": "bash_complete", "COMP_WORDS": f"gorilla {words}", "COMP_CWORD": str(count)},
            COMPLETION,
            0,
        )
        for words, count in (("", 1), ("mo", 1), ("--", 1), ("config get c", 3), ("model use ", 3))
    },
}


def loaded(arguments: list[str], changes: dict[str, str]) -> tuple[set[str], int]:
    """The modules that gorilla imports, and its exit code. `site` and what it loads is not ours to choose."""
    command = [sys.executable, "-X", "importtime", "-m", "gorilla_cli", *arguments]
    done = subprocess.run(command, env=environment(**changes), capture_output=True, text=True, check=False)
    names = re.findall(r"^import time:.*\|\s*([\w.]+)\s*$", done.stderr, re.MULTILINE)
    after_site = names[names.index("site") + 1 :]
    return set(after_site), done.returncode


@pytest.mark.parametrize("call", CALLS)
def test_a_cheap_call_loads_nothing_heavy(call):
    arguments, changes, allowed, code = CALLS[call]
    modules, ended = loaded(arguments, changes)
    assert ended == code
    extra = {} if "model use" not in call else {"gorilla_cli.backends", "gorilla_cli.backends.catalogue"}
    assert {name for name in modules if name.startswith("gorilla_cli")} <= allowed | set(extra)
    assert {name for name in modules for heavy in HEAVY if name == heavy or name.startswith(heavy + ".")} == set()
