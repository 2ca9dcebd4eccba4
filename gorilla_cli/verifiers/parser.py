"""The parent side of the shell parser: a killable child process does the parsing, this room trusts only its answer.

tree-sitter-bash can crash the process it runs in, so it never runs in ours. Whatever happens to the child, `parse`
answers: a crash or a timeout is a `Parsed` that says so, and the next call starts a new child.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import subprocess
import sys
import threading
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.tree import build, commands, edited, line_breaks
from gorilla_cli.verifiers.wrappers import peel

LONGEST = 8 * 1024
MOST_COMMANDS = 64
SECONDS = 1.0
START_SECONDS = 20.0
REMEMBERED = 128
TOO_LONG = "too long to review"
UNANALYSABLE = "could not be analysed"
_CHILD = str(Path(__file__).with_name("parse_child.py"))
_CRASHING = re.compile(r"\{.*[\U00010000-\U0010ffff]", re.DOTALL)
_ASTRAL = re.compile(r"[\U00010000-\U0010ffff]")


class Parser:
    """Parses command lines with tree-sitter-bash in a child process. Safe to use from several threads.

    `start` begins the child ahead of the first `parse`; `close` ends it (`with Parser() as parser:` does too).
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._lock = threading.Lock()
        self._known: dict[str, Parsed] = {}

    def __enter__(self) -> Parser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id of the running child."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child without waiting for it."""
        with self._lock:
            self._start()

    def close(self) -> None:
        """End the child. A later `parse` starts another."""
        with self._lock:
            self._kill()

    def parse(self, text: str) -> Parsed:
        """The simple commands of `text`, wrapped ones included. Never raises; see `Parsed.problem`."""
        known = self._known.get(text)
        if known is None:
            known = peel(self._parse(text), self._parse)
            if len(known.commands) > MOST_COMMANDS:
                known = Parsed(text, problem=TOO_LONG, crashed=True)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            if known.problem != UNANALYSABLE:
                self._known[text] = known
        return known

    def _parse(self, text: str) -> Parsed:
        """One text without looking into wrappers."""
        if len(text.encode("utf-8", "replace")) > LONGEST:
            return Parsed(text, problem=TOO_LONG, crashed=True)
        plain = _ASTRAL.sub(_stand_in, text)
        if _CRASHING.search(plain):
            return Parsed(text, problem=UNANALYSABLE, crashed=True)
        shown = text
        for _ in range(MOST_COMMANDS):
            with self._lock:
                rows = self._ask(plain)
            if not rows:
                return Parsed(text, problem=UNANALYSABLE, crashed=True)
            tree = build(rows, plain)
            edits = line_breaks(tree, plain)
            if not edits:
                found = commands(tree, shown)
                too_many = len(found.commands) > MOST_COMMANDS
                return Parsed(text, problem=TOO_LONG, crashed=True) if too_many else replace(found, text=text)
            plain, shown = edited(plain, edits), edited(shown, edits)
        return Parsed(text, problem=TOO_LONG, crashed=True)

    def _ask(self, text: str) -> list[list] | None:
        """The child's answer, or None when it crashed or took too long; a broken child is gone afterwards."""
        for _ in range(2):  # a child that was killed since the last request is no fault of this text
            fresh = self._child is None
            try:
                self._start()
                self._wait_ready()
                return self._exchange(text)
            except _ChildLost as lost:
                self._kill()
                if fresh or lost.late:
                    return None
            except OSError:
                self._kill()
                return None
        return None

    def _exchange(self, text: str) -> list[list]:
        child = self._child
        if child is None or child.stdin is None:
            raise _ChildLost(late=False)
        try:
            child.stdin.write(json.dumps(text).encode() + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            raise _ChildLost(late=False) from None
        return json.loads(self._line(time.monotonic() + self._seconds))

    def _start(self) -> None:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-I", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,
            )
            self._ready = False

    def _wait_ready(self) -> None:
        if not self._ready:
            self._line(time.monotonic() + START_SECONDS)
            self._ready = True

    def _line(self, deadline: float) -> bytes:
        stream = self._child.stdout if self._child else None
        if stream is None:
            raise _ChildLost(late=False)
        poll = select.poll()
        poll.register(stream, select.POLLIN | select.POLLHUP)
        line = bytearray()
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise _ChildLost(late=True)
            chunk = stream.read(1 << 16)
            if not chunk:
                raise _ChildLost(late=False)
            line += chunk
        return bytes(line)

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(OSError):
            child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()


class _ChildLost(Exception):
    """The child died, or it is late."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.late = late


def _stand_in(match: re.Match[str]) -> str:
    """Assigned characters beyond the basic plane (emoji, rare ideographs) are parsed as an ideograph of the basic
    plane: to the shell both are letters, and the grammar crashes on some four-byte sequences after a brace."""
    return match[0] if unicodedata.category(match[0]) in ("Cn", "Co", "Cf") else "\u4e00"
