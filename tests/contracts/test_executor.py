"""What every Executor promises, over each implementation."""

from __future__ import annotations

import dataclasses
import os

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.executors.shell import ShellExecutor
from gorilla_cli.types import Approved, Candidate, Outcome, ShellCommand


def shell_executor():
    return ShellExecutor({"PATH": os.environ["PATH"]})


@pytest.fixture(params=[shell_executor], ids=lambda make: make.__name__)
def executor(request):
    return request.param()


def approve(command, cwd):
    return Approved(Candidate(ShellCommand(command)), "sh", str(cwd), Approved.digest_of(command, "sh", str(cwd)))


def test_what_was_approved_runs_once_where_it_was_approved(executor, tmp_path):
    outcome = executor.run(approve("echo x >> made", tmp_path))
    assert isinstance(outcome, Outcome)
    assert outcome.exit_code == 0
    assert outcome.seconds >= 0
    assert (tmp_path / "made").read_text() == "x\n"


@pytest.mark.parametrize(("command", "code"), [("exit 9", 9), ("kill -TERM $$", 143)])
def test_the_commands_own_code_comes_back(executor, tmp_path, command, code):
    assert executor.run(approve(command, tmp_path)).exit_code == code


@pytest.mark.parametrize("field", ["candidate", "shell", "cwd", "digest"])
def test_anything_else_than_what_was_approved_is_refused(executor, tmp_path, field):
    other = {"candidate": Candidate(ShellCommand("touch other")), "shell": "bash", "cwd": "/", "digest": "0" * 64}
    approved = dataclasses.replace(approve("touch made", tmp_path), **{field: other[field]})
    with pytest.raises(StateError):
        executor.run(approved)
    assert os.listdir(tmp_path) == []


def test_the_executor_can_be_used_again(executor, tmp_path):
    codes = [executor.run(approve(f"exit {code}", tmp_path)).exit_code for code in range(3)]
    assert codes == [0, 1, 2]
