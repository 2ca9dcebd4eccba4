"""Approved commands in real shells: what runs, with which environment and stdin, and how it ends."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gorilla_cli.errors import GorillaError, StateError
from gorilla_cli.executors import detached
from gorilla_cli.executors.shell import ShellExecutor, clean_environment
from gorilla_cli.types import Approved, Candidate, ShellCommand

ALL = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed"))
    for name in ("bash", "sh", "zsh", "fish")
]
POSIX = ALL[:3]


def approve(command, shell="bash", cwd=""):
    return Approved(Candidate(ShellCommand(command)), shell, str(cwd), Approved.digest_of(command, shell, str(cwd)))


def run(command, shell="bash", cwd="", **environment):
    return ShellExecutor({"PATH": os.environ["PATH"], **environment}).run(approve(command, shell, cwd))


# how it ends


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands_own(shell, code):
    assert run(f"exit {code}", shell).exit_code == code


@pytest.mark.parametrize("shell", POSIX)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_signal_is_128_and_its_number(shell, number):
    assert run(f"kill -{number.value} $$", shell).exit_code == 128 + number


def test_a_missing_program_is_127():
    assert run("no-such-program-anywhere 2>/dev/null").exit_code == 127


def test_the_time_is_measured():
    assert run("sleep 0.05").seconds >= 0.05


@pytest.mark.parametrize("shell", ALL)
def test_output_goes_where_gorillas_goes(shell, capfd):
    run("echo data; echo words >&2", shell)
    assert capfd.readouterr() == ("data\n", "words\n")


@pytest.mark.parametrize("shell", ALL)
def test_what_was_approved_runs_byte_for_byte(shell, capfdbinary):
    run("printf '%s|' 'a  b' \"c\" 'é – 😀' '\udcff' '$HOME'", shell)
    assert capfdbinary.readouterr().out == "a  b|c|é – 😀|".encode() + b"\xff|$HOME|"


def test_a_command_of_several_lines(capfd):
    run("for i in 1 2; do\n  echo $i\ndone\ncat <<E\nx\nE")
    assert capfd.readouterr().out == "1\n2\nx\n"


# where


@pytest.mark.parametrize("shell", ALL)
def test_it_runs_in_the_approved_folder(shell, tmp_path, capfd):
    run("pwd", shell, cwd=tmp_path)
    assert capfd.readouterr().out == f"{tmp_path}\n"


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(GorillaError, match="cannot run in .*gone: No such file or directory"):
        run("touch x", cwd=tmp_path / "gone")


def test_a_shell_that_is_not_there(tmp_path):
    with pytest.raises(GorillaError, match="bash is not installed"):
        ShellExecutor({"PATH": str(tmp_path)}).run(approve("echo x"))


def test_a_command_that_no_process_can_have():
    with pytest.raises(GorillaError, match="cannot run"):
        run("echo a\0b")


# only what was approved


@pytest.mark.parametrize(
    "change",
    [
        {"candidate": Candidate(ShellCommand("touch other"))},
        {"shell": "sh"},
        {"cwd": "/"},
        {"digest": ""},
        {"digest": hashlib.sha256(b"touch other").hexdigest()},
    ],
    ids=["command", "shell", "folder", "no digest", "another digest"],
)
def test_nothing_runs_that_is_not_what_was_approved(tmp_path, monkeypatch, change):
    monkeypatch.chdir(tmp_path)
    approved = dataclasses.replace(approve("touch made", cwd=tmp_path), **change)
    with pytest.raises(StateError, match="not the one that was approved; nothing was run"):
        ShellExecutor({"PATH": os.environ["PATH"]}).run(approved)
    assert os.listdir(tmp_path) == []


# the environment


def test_start_up_files_do_not_run(tmp_path, capfd):
    for name in (".bashrc", ".bash_profile", ".profile", ".zshenv", ".zshrc", "env"):
        (tmp_path / name).write_text("echo started from a file\n")
    (tmp_path / "fish").mkdir()
    (tmp_path / "fish" / "config.fish").write_text("echo started from a file\n")
    for shell in filter(shutil.which, ("bash", "sh", "zsh", "fish")):
        env = str(tmp_path / "env")
        run("echo x", shell, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path), BASH_ENV=env, ENV=env)
        assert capfd.readouterr().out == "x\n"


def test_an_exported_function_does_not_replace_a_program(capfd):
    body = "() { echo replaced; }"
    run("ls / >/dev/null && echo ls", **{"BASH_FUNC_ls%%": body, "BASH_FUNC_echo%%": body, "BASH_FUNC_ls()": body})
    assert capfd.readouterr().out == "ls\n"


def test_shell_options_do_not_come_in(capfd):
    run("echo x; false; echo y", SHELLOPTS="xtrace:errexit", BASHOPTS="expand_aliases", PS4="$(echo prompt >&2)+ ")
    assert capfd.readouterr() == ("x\ny\n", "")


def test_zsh_reads_no_other_folder(tmp_path, capfd):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    (tmp_path / ".zshenv").write_text("echo started from a file\n")
    run("echo x", "zsh", ZDOTDIR=str(tmp_path))
    assert capfd.readouterr().out == "x\n"


def test_the_rest_of_the_environment_stays():
    kept = {"PATH": "/bin", "HOME": "/h", "LANG": "C", "MY_ENV": "1", "BASH_FUNCTION": "x", "ENVIRONMENT": "y"}
    dropped = dict.fromkeys(
        ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "ZDOTDIR", "BASH_FUNC_ls%%"), "x"
    )
    assert clean_environment({**kept, **dropped}) == kept


# stdin


def in_process(shell, taken, command, data):
    argv = [sys.executable, "-m", "tests.run_process", shell, str(taken), command]
    return subprocess.run(argv, input=data, capture_output=True, cwd=Path(__file__).parents[1])


BIG = bytes(range(256)) * 1024  # 256 KiB: four times what a pipe holds


@pytest.mark.parametrize("shell", ALL)
def test_stdin_is_the_commands_when_nothing_was_read(shell):
    assert in_process(shell, "-", "cat", BIG).stdout == BIG


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize("taken", [1, 1000, 65536, 100_000, len(BIG), 2 * len(BIG)])
def test_what_was_read_and_the_rest_arrive_whole(shell, taken):
    assert in_process(shell, taken, "cat", BIG).stdout == BIG


def test_an_empty_stdin():
    assert in_process("bash", 10, "wc -c", b"").stdout.strip() == b"0"


@pytest.mark.parametrize("command", ["head -c 3", "head -c 3; exit 7"])
def test_a_command_that_stops_reading(command):
    done = in_process("bash", 100_000, command, BIG)
    assert done.stdout == BIG[:3]
    assert done.returncode == (7 if "7" in command else 0)
    assert done.stderr == b""


def test_a_command_that_reads_nothing():
    assert in_process("bash", 100_000, "exit 3", BIG).returncode == 3


# interrupts


def _interrupt_when(file):
    while not file.exists():
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)
    file.with_name("interrupted").touch()


def test_an_interrupt_is_left_to_the_command(tmp_path):
    """gorilla waits for a command that decides to go on, and its own handler is back afterwards."""
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=_interrupt_when, args=(tmp_path / "started",))
    thread.start()
    outcome = run("touch started; until [ -e interrupted ]; do sleep 0.01; done; exit 5", cwd=tmp_path)
    thread.join()
    assert outcome.exit_code == 5
    assert signal.getsignal(signal.SIGINT) is before


def test_the_command_is_not_deaf_to_interrupts():
    assert run("kill -INT $$; exit 0").exit_code == 130


def test_handlers_are_back_after_an_error(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGQUIT)
    with pytest.raises(GorillaError):
        run("true", cwd=tmp_path / "gone")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGQUIT)) == before


# gorilla itself in the background


def test_gorilla_starts_itself_in_the_background(tmp_path):
    log = tmp_path / "state" / "log"
    child = detached.start(["--version"], dict(os.environ), log)
    assert os.getsid(child) == child
    os.waitpid(child, 0)
    from gorilla_cli import __version__

    assert __version__ in log.read_text()


def test_the_log_is_added_to(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    os.waitpid(detached.start(["--no-such-option"], dict(os.environ), log), 0)
    assert log.read_text().startswith("before\n")
    assert "--no-such-option" in log.read_text()
