"""A request is answered without a network: nothing even tries to connect or to look a name up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.command_line import apart

# Loaded by every Python that finds it on its path, before gorilla.
BLOCK = """
import os, socket

def refuse(name):
    def attempt(*arguments, **options):
        with open(os.environ["ATTEMPTS"], "a") as log:
            log.write(f"{name} {arguments[1:]!r}\\n")
        raise OSError(f"{name} is blocked")
    return attempt

for name in ("connect", "connect_ex", "sendto", "bind"):
    setattr(socket.socket, name, refuse(name))
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse(name))
"""


@pytest.fixture
def attempts(tmp_path, monkeypatch):
    """The log of what tried to reach a network."""
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ATTEMPTS", str(tmp_path / "attempts"))
    return tmp_path / "attempts"


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["--print", "the safe one"], "echo hello\n"),
        (["--yes", "the safe one"], "hello\n"),
        (["index", "build", "--fresh", "--wait"], ""),
        (["index", "search", "-k", "1", "list", "hidden", "files"], None),
        (["model", "list"], None),
        (["history"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_tries_to_connect(ready, attempts, arguments, out):
    ended = apart(*arguments)
    assert ended.code == 0, ended.err
    assert out is None or ended.out == out
    assert not attempts.exists(), attempts.read_text()


def test_a_model_that_is_missing_is_not_fetched_behind_ones_back(ready, attempts):
    assert apart("--model", "smollm2-135m", "x").code == 6
    assert not attempts.exists()


def test_the_block_would_notice(attempts):
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 1
    assert attempts.read_text().startswith("create_connection")


def test_a_pull_does_try(ready, attempts):
    ended = apart("model", "pull", "hf:owner/repo/model.gguf")
    assert (ended.code, ended.out) == (1, "")
    assert attempts.exists()
