"""Every exit code by a real case; every expected error is one line and a next step, a traceback only with --debug."""

from __future__ import annotations

import array
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import time

import click
import pytest

from gorilla_cli.cli.app import COMMANDS
from gorilla_cli.errors import ExitCode
from tests.command_line import apart, write_script

ONE_LINE = re.compile(r"gorilla: [^\n]+\n(  next: [^\n]+\n)?")


def config_file(home, text):
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text(text)


def folder_for_config(home):
    (home / "config" / "config.toml").mkdir(parents=True)


def file_for_state(home):
    (home / "state").write_text("in the way")


def no_index(home):
    (home / "data" / "index.db").unlink()


def damaged_index(home):
    (home / "data" / "index.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)


def damaged_models(home):
    (home / "data" / "models").mkdir()
    (home / "data" / "models" / "models.json").write_text("{")


def changed_model(home):
    from gorilla_cli.backends.catalogue import ModelEntry
    from gorilla_cli.backends.store import ModelStore, digest
    from tests.gguf_files import model, write

    file = write(home.parent / "incoming", model())
    kept = ModelStore(home / "data" / "models").adopt(
        ModelEntry("m"), file, sha256=digest(file), source="test", date="2026-01-02"
    )
    os.utime(kept.path, (0, 0))


def without(home):
    """Nothing is spoilt."""


CASES = [
    (ExitCode.FAILURE, without, ["index", "add", "tldr", "/nonexistent.zip"], ""),
    (ExitCode.USAGE, without, ["--json", "--print", "x"], "exclude each other"),
    (ExitCode.USAGE, without, ["--", " "], "the request is empty"),
    (ExitCode.USAGE, without, ["config", "set", "colour", "red"], "no setting is called 'colour'"),
    (ExitCode.USAGE, without, ["config", "set", "candidates", "99"], "candidates cannot be '99'"),
    (ExitCode.USAGE, without, ["--model", "no-such-model", "x"], "no model is called no-such-model"),
    (ExitCode.USAGE, without, ["--model", "/nonexistent.gguf", "x"], "there is no file /nonexistent.gguf"),
    (ExitCode.USAGE, lambda home: config_file(home, "candidates = ["), ["x"], "config.toml"),
    (ExitCode.USAGE, lambda home: config_file(home, "candidates = 'many'"), ["x"], "candidates cannot be 'many'"),
    (ExitCode.USAGE, without, ["index", "show", "nothing-like-that"], "the index has no 'nothing-like-that'"),
    (ExitCode.USAGE, without, ["index", "add", "man", "no-such-program"], "no manual page of no-such-program"),
    (ExitCode.NOT_CONFIRMED, without, ["the safe one"], "no terminal to confirm on"),
    (ExitCode.STATE, folder_for_config, ["x"], "cannot read"),
    (ExitCode.STATE, file_for_state, ["history"], "cannot read the history"),
    (ExitCode.STATE, damaged_index, ["--print", "the safe one"], "index"),
    (ExitCode.STATE, damaged_models, ["model", "list"], "models.json"),
    (ExitCode.STATE, changed_model, ["--model", "m", "--print", "x"], "was changed after it was checked"),
    (ExitCode.USAGE, without, ["--model", "scripted:/dev/null", "x"], "is no script of answers"),
    (ExitCode.NO_CANDIDATE, without, ["--print", "nothing"], "the model gave no command"),
    (ExitCode.NO_CANDIDATE, without, ["--json", "unheard of"], "the model gave no command"),
    (ExitCode.MISSING, no_index, ["x"], "there is no index yet"),
    (ExitCode.MISSING, no_index, ["index", "list"], ""),
    (ExitCode.MISSING, no_index, ["index", "search", "x"], "there is no index yet"),
    (ExitCode.MISSING, without, ["--model", "qwen2.5-coder-0.5b", "x"], "gorilla model pull qwen2.5-coder-0.5b"),
    (ExitCode.MISSING, without, ["--model", "scripted:/nonexistent", "x"], "there is no script"),
    (ExitCode.MISSING, without, ["model", "info", "smollm2-135m"], "is not here"),
    (ExitCode.MISSING, without, ["model", "use", "smollm2-135m"], "is not here"),
    (ExitCode.MISSING, without, ["model", "remove", "smollm2-135m"], "is not here"),
]


@pytest.mark.parametrize(("code", "spoil", "arguments", "said"), CASES)
def test_an_expected_error_is_one_line_and_a_next_step(gorilla, ready, code, spoil, arguments, said):
    spoil(ready)
    ended = gorilla(*arguments)
    assert (ended.code, ended.out) == (code, "")
    told = ended.err
    if code == ExitCode.NOT_CONFIRMED:  # what would have been asked about comes first
        told = told.removeprefix("  1 echo hello  safe\n")
        assert told != ended.err
    assert ONE_LINE.fullmatch(told), ended.err
    assert said in ended.err


def test_what_cannot_be_recorded_is_not_run(gorilla, ready, tmp_path):
    file_for_state(ready)
    answers = write_script(tmp_path / "s.toml", {"x": ["touch made"]})
    ended = gorilla("--yes", f"--model={answers}", "x")
    assert (ended.code, ended.out) == (ExitCode.STATE, "")
    assert ended.err.endswith("or: gorilla config set history off\n")
    assert not os.path.exists("made")
    assert gorilla("config", "set", "history", "off").code == 0
    assert gorilla("--yes", f"--model={answers}", "x").code == 0
    assert os.path.exists("made")


def test_every_exit_code_of_an_error_is_reached():
    reached = {case[0] for case in CASES} | {ExitCode.DONE, ExitCode.INTERRUPTED}
    assert reached == set(ExitCode)


def test_a_traceback_only_with_debug(ready):
    arguments = ["--model", "scripted:/nonexistent", "x"]
    plain, debugged = apart(*arguments), apart("--debug", *arguments)
    assert plain.code == ExitCode.MISSING
    assert "Traceback" not in plain.err
    assert debugged.code != 0
    assert debugged.err.startswith("Traceback")
    assert "ModelMissing" in debugged.err


@click.command()
def crash():
    """A command with a defect."""
    raise RuntimeError("out\nof \x1b[2Jorder")


def test_an_unexpected_error_is_one_line_too(gorilla, monkeypatch):
    monkeypatch.setitem(COMMANDS, "crash", (f"{__name__}:crash", "Crash."))
    ended = gorilla("crash")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "gorilla: unexpected RuntimeError: out of \\x1b[2Jorder\n"
        "  next: run it again with --debug and report what it prints\n"
    )
    with pytest.raises(RuntimeError):
        gorilla("--debug", "crash")


def test_an_error_message_cannot_drive_the_terminal(gorilla):
    ended = gorilla("--model", "no\x1b[2Jsuch\nmodel", "x")
    assert ended.code == ExitCode.USAGE
    assert "\x1b" not in ended.err
    assert ONE_LINE.fullmatch(ended.err)


def test_the_exit_code_of_the_command_passes_through(gorilla, tmp_path):
    answers = write_script(tmp_path / "s.toml", {"x": ["exit 7"]})
    assert gorilla("--yes", f"--model={answers}", "x").code == 7


def wait_until_read(descriptor: int) -> None:
    """Until the other side has taken everything out of a pipe."""
    left = array.array("i", [1])
    while left[0]:
        time.sleep(0.01)
        fcntl.ioctl(descriptor, termios.FIONREAD, left)


def test_ctrl_c_while_waiting_for_the_pipe(ready):
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "gorilla_cli", "--print", "the safe one"]
    child = subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.write(writing, b"more follows")
    wait_until_read(writing)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    os.close(reading)
    os.close(writing)
    assert (child.returncode, out, err.strip()) == (ExitCode.INTERRUPTED, b"", b"gorilla: interrupted")


def test_a_missing_shell_is_told(gorilla, monkeypatch, tmp_path, hermetic):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env"):
        tools.joinpath(name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("GORILLA_SHELL", "zsh")
    ended = gorilla("--yes", "the safe one")
    assert ended.code == ExitCode.FAILURE
    assert "zsh is not installed" in ended.err
