"""The completions, in the real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

COMPLETIONS = Path(__file__).parent.parent.parent / "completions"
FILES = {"bash": "gorilla.bash", "zsh": "_gorilla", "fish": "gorilla.fish"}
COMMANDS = {"api", "ask", "bench", "setup", "doctor", "model", "index", "config", "history", "completion"}
WANTED = [
    ("gorilla ", COMMANDS),
    ("gorilla mo", {"model"}),
    ("gorilla --pr", {"--print"}),
    ("gorilla index add ", {"catalogue", "man", "tldr", "records", "python", "openapi", "hub"}),
    ("gorilla config get c", {"candidates", "context_window"}),
    ("gorilla model use smol", {"smollm2-135m", "smollm2-360m"}),
]
BASH = """
source {file}
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}
COMP_WORDS=({line}); [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_gorilla_completion gorilla
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p gorilla >&2
"""


@pytest.fixture(autouse=True)
def on_path(tmp_path, monkeypatch):
    """`gorilla` as installed: the completions call it by name."""
    program = tmp_path / "bin" / "gorilla"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gorilla_cli "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def needs(shell):
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


def output(*command: str, **options) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, **options).stdout


@pytest.mark.parametrize("shell", FILES)
def test_the_files_are_what_gorilla_prints(gorilla, shell):
    ended = gorilla("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert (COMPLETIONS / FILES[shell]).read_text(encoding="utf-8") == ended.out, "run: make completions"


@needs("bash")
@pytest.mark.parametrize(("line", "wanted"), WANTED)
def test_bash_completes(line, wanted):
    script = BASH.format(file=COMPLETIONS / FILES["bash"], line=line)
    found = output("bash", "--noprofile", "--norc", "-c", script).split()
    assert set(found) == expected(wanted)


@needs("fish")
@pytest.mark.parametrize(("line", "wanted"), WANTED)
def test_fish_completes(line, wanted):
    script = f"source {COMPLETIONS / FILES['fish']}; complete -C {line!r}"
    found = {row.split("\t")[0] for row in output("fish", "--no-config", "-c", script).splitlines()}
    assert found == expected(wanted)


@needs("zsh")
def test_zsh_completes(tmp_path):
    """zsh completes in its line editor alone, so somebody has to press the key."""
    shell = pexpect.spawn("zsh", ["-f", "-i"], env={**os.environ, "TERM": "dumb"}, timeout=20, dimensions=(50, 100))
    shell.delaybeforesend = None
    try:
        shell.sendline(f"PS1='$ '; fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy")
        shell.expect("ready\r")
        lines = {"gorilla mod": "gorilla model", "gorilla config get cand": "get candidates"}
        for typed, completed in {**lines, "gorilla completion f": "completion fish"}.items():
            shell.send(typed + "\t")
            shell.expect_exact(completed)
            shell.send("\x15")
    finally:
        shell.close(force=True)


def expected(wanted: set[str]) -> set[str]:
    """Models come and go; those that are in the catalogue now."""
    from gorilla_cli.backends.catalogue import entries

    models = any(name.startswith("smollm") for name in wanted)
    return {name for name in entries() if name.startswith("smol")} if models else wanted
