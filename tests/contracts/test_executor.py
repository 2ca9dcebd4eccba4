"""What every Executor promises, over each implementation."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.executors.python_code import PythonExecutor
from gorilla_cli.executors.shell import ShellExecutor
from gorilla_cli.protocols import Executor
from gorilla_cli.types import ApiCall, Approved, Candidate, Outcome, ShellCommand


@dataclass(frozen=True)
class Kind:
    """An executor and how its commands say what the tests want."""

    make: Callable[[], Executor]
    action: Callable[[str], ShellCommand | ApiCall]
    append: str
    leave: str
    terminate: str


SHELL = Kind(
    make=lambda: ShellExecutor({"PATH": os.environ["PATH"]}),
    action=ShellCommand,
    append="echo x >> {}",
    leave="exit {}",
    terminate="kill -TERM $$",
)
PYTHON = Kind(
    make=lambda: PythonExecutor(sys.executable, {name: os.environ[name] for name in ("PATH", "HOME")}),
    action=lambda code: ApiCall("call()", code, "records:x:call()"),
    append="with open('{}', 'a') as file:\n    file.write('x\\n')",
    leave="raise SystemExit({})",
    terminate="import os\nos.kill(os.getpid(), 15)",
)


@pytest.fixture(params=[pytest.param(SHELL, id="shell"), pytest.param(PYTHON, id="python", marks=pytest.mark.process)])
def kind(request) -> Kind:
    return request.param


@pytest.fixture
def executor(kind) -> Executor:
    return kind.make()


def approve(kind, command, cwd):
    digest = Approved.digest_of(command, "sh", str(cwd))
    return Approved(Candidate(kind.action(command)), "sh", str(cwd), digest)


def test_what_was_approved_runs_once_where_it_was_approved(executor, kind, tmp_path):
    outcome = executor.run(approve(kind, kind.append.format("made"), tmp_path))
    assert isinstance(outcome, Outcome)
    assert outcome.exit_code == 0
    assert outcome.seconds >= 0
    assert (tmp_path / "made").read_text() == "x\n"


def test_the_commands_own_code_comes_back(executor, kind, tmp_path):
    assert executor.run(approve(kind, kind.leave.format(9), tmp_path)).exit_code == 9
    assert executor.run(approve(kind, kind.terminate, tmp_path)).exit_code == 143


@pytest.mark.parametrize("field", ["candidate", "shell", "cwd", "digest"])
def test_anything_else_than_what_was_approved_is_refused(executor, kind, tmp_path, field):
    other = Candidate(kind.action(kind.append.format("other")))
    changes = {"candidate": other, "shell": "bash", "cwd": "/", "digest": "0" * 64}
    approved = dataclasses.replace(approve(kind, kind.append.format("made"), tmp_path), **{field: changes[field]})
    with pytest.raises(StateError):
        executor.run(approved)
    assert os.listdir(tmp_path) == []


def test_the_executor_can_be_used_again(executor, kind, tmp_path):
    codes = [executor.run(approve(kind, kind.leave.format(code), tmp_path)).exit_code for code in range(3)]
    assert codes == [0, 1, 2]
