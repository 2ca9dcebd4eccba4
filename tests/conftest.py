"""Every test is hermetic: its own home, a scrubbed environment, no sockets, no terminal, a fixed seed."""

from __future__ import annotations

import os
import random
import shutil
import socket

import pytest

KEPT = {"PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "COVERAGE_FILE"}


# These start many processes (pip, man, ptys, shells): `make test` runs them after the quick ones.
STARTS_PROCESSES = {
    "test_backends_download",
    "test_backends_wheels",
    "test_bench_grading",
    "test_bench_sandbox",
    "test_catalogue_against_tools",
    "test_cli_ask",
    "test_cli_bench",
    "test_cli_index",
    "test_cli_records",
    "test_cli_streams",
    "test_executors",
    "test_offline",
    "test_python_package",
    "test_retrieval_quality",
    "test_sources_man",
    "test_sources_tldr",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what is not quick, so that the unit suite stays under a minute."""
    for item in items:
        if item.path.stem in STARTS_PROCESSES or item.path.parent.name == "terminal":
            item.add_marker(pytest.mark.process)


class SocketBlocked(AssertionError):
    """A test opened a network socket without asking for the `loopback` fixture."""


@pytest.fixture(autouse=True)
def hermetic(tmp_path_factory, monkeypatch):
    """A fresh home in a temporary folder and nothing else of the caller's environment."""
    home = tmp_path_factory.mktemp("home")
    for name in set(os.environ) - KEPT:
        if not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GORILLA_HOME", str(home / "gorilla"))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("SHELL", "/bin/bash")
    random.seed(0)
    return home


@pytest.fixture(autouse=True)
def no_sockets(request, monkeypatch):
    """Only a test that asks for `loopback` may connect, and then only to this machine."""
    allowed = ("127.0.0.1", "::1", "localhost") if "loopback" in request.fixturenames else ()
    real = socket.socket.connect

    def connect(self, address):
        if self.family == getattr(socket, "AF_UNIX", None) or address[0] in allowed:
            return real(self, address)
        raise SocketBlocked(f"connect to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def loopback():
    """Asking for this lets a test talk to 127.0.0.1."""


@pytest.fixture(scope="session")
def small_index(tmp_path_factory):
    """A manual with one page, and the index of it and of the shipped catalogue, built once by the real code."""
    from tests import command_line

    folder = tmp_path_factory.mktemp("small")
    manpath = command_line.write_manpath(folder / "man")
    return command_line.build_index(folder / "index.db", manpath), manpath


@pytest.fixture(scope="session")
def sandbox():
    """Skips where commands cannot be locked in, with the reason."""
    from gorilla_cli.bench.sandbox import NoSandbox, need_sandbox

    try:
        need_sandbox()
    except NoSandbox as error:
        pytest.skip(f"{error} ({error.hint})")


@pytest.fixture
def folder(tmp_path):
    """Two files, one of them in a folder, for what the benchmark's sandbox does and sees."""
    made = tmp_path / "original"
    (made / "sub").mkdir(parents=True)
    (made / "a.txt").write_text("one\ntwo\n")
    (made / "sub" / "b.txt").write_text("three\n")
    return made


@pytest.fixture
def ready(hermetic, small_index, monkeypatch):
    """A home in which the index is built and `three of them` and its like are answered; the folder GORILLA_HOME."""
    from tests import command_line

    index, manpath = small_index
    home = hermetic / "gorilla"
    (home / "data").mkdir(parents=True)
    shutil.copy(index, home / "data" / "index.db")
    work = hermetic / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    settings = {"MODEL": command_line.write_script(hermetic / "answers.toml"), "SHELL": "bash"}
    for name, value in {**settings, "BACKGROUND_INDEX": "off"}.items():
        monkeypatch.setenv(f"GORILLA_{name}", value)
    monkeypatch.setenv("MANPATH", str(manpath))
    return home


@pytest.fixture
def gorilla(ready, capfd):
    """Runs gorilla in this process: `gorilla("model", "list")` gives its exit code, stdout and stderr."""
    from tests import command_line

    def call(*arguments):
        return command_line.here(arguments, capfd.readouterr)

    return call
