"""A person at a terminal: a real pseudo-terminal with gorilla in it, and a screen that shows what they would see."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

import pexpect
import pyte

from gorilla_cli import registry
from gorilla_cli.__main__ import main
from gorilla_cli.cli import wiring

GORILLA = f"{sys.executable} -m gorilla_cli"
UP, DOWN, ENTER, ESCAPE, CTRL_C, CTRL_D = "\x1b[A", "\x1b[B", "\r", "\x1b", "\x03", "\x04"
PATIENCE = 20.0
# What a forked gorilla would import, imported once.
for module in ("cli.ask", "session", "pipeline", "knowledge", "retrieval.index", "retrieval.writing", "sources.man"):
    import_module(f"gorilla_cli.{module}")
for module in ("application", "shortcuts", "input.vt100", "output.vt100", "styles", "layout", "key_binding.defaults"):
    import_module(f"prompt_toolkit.{module}")
for room, names in (("verifiers", registry.names("verifiers")), ("executors", ["shell"]), ("backends", ["scripted"])):
    for name in names:
        registry.factory(room, name)


class Person:
    """Sees `text()` and types. Use as a context manager; what is still running at the end is killed.

    A `line` is run by bash, with $G for gorilla. A list is the arguments of gorilla alone: it runs in a fork of this
    process, which spares the start of an interpreter. `environment` is added to that of the test.
    """

    def __init__(self, line: str | list[str], columns: int = 80, rows: int = 24, **environment: str) -> None:
        variables = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment}
        self._screen = pyte.Screen(columns, rows)
        self._screen.write_process_input = self._answer  # a terminal answers when it is asked where the cursor is
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        forked = partial(_gorilla, line, variables) if isinstance(line, list) else None
        command = ["--noprofile", "--norc", "-c", "" if forked else line.replace("$G", GORILLA)]
        self._child = pexpect.spawn(
            "bash", command, env=variables, dimensions=(rows, columns), timeout=PATIENCE, preexec_fn=forked
        )
        self._child.delaybeforesend = None

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close(force=True)

    def _answer(self, data: str) -> None:
        if self._child.isalive():
            self._child.send(data)

    def text(self) -> str:
        """What is on the screen now, blank ends of lines left out."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def title(self) -> str:
        """What the window is called."""
        return self._screen.title

    def hides_cursor(self) -> bool:
        return self._screen.cursor.hidden

    def type(self, keys: str) -> None:
        self._child.send(keys)

    def _read(self) -> bool:
        """Take in what has been written, waiting for it; False at the end."""
        try:
            data = self._child.read_nonblocking(65536, PATIENCE)
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def sees(self, *texts: str) -> str:
        """Wait until all of `texts` are on the screen; the screen."""
        return self._until(lambda shown: all(text in shown for text in texts), f"to see {texts!r}")

    def sees_no_more(self, text: str) -> str:
        """Wait until `text` has gone from the screen."""
        return self._until(lambda shown: text not in shown, f"{text!r} to go")

    def _until(self, wanted: Callable[[str], bool], what: str) -> str:
        while not wanted(shown := self.text()):
            try:
                assert self._read(), f"ended, waiting for {what}:\n{shown}"
            except pexpect.TIMEOUT:
                raise AssertionError(f"waited in vain for {what}:\n{shown}") from None
        return shown

    def leaves(self) -> int:
        """Wait for the end; the exit code (128 + n after signal n)."""
        while self._read():
            pass
        self._child.close()
        return self._child.exitstatus if self._child.exitstatus is not None else 128 + self._child.signalstatus


def _gorilla(arguments: list[str], environment: dict[str, str]) -> None:
    """What a new process would do, in the child that has the terminal as its standard streams; never returns."""
    code = 1
    try:
        os.closerange(3, 1024)  # among them one that the parent reads until this process would exec
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["gorilla", *arguments]
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - open until the end
        for remembered in (wiring.paths, wiring.settings, wiring.installed):
            remembered.cache_clear()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
    except SystemExit as leave:
        code = int(leave.code or 0)
    finally:
        os._exit(code)


def asks(words: str, *options: str) -> list[str]:
    """The arguments that ask gorilla for `words`."""
    return [*options, "--", words]


def typed(words: str, *options: str) -> str:
    """The line for bash that asks gorilla for `words`."""
    return f"$G {shlex.join(asks(words, *options))}"
