"""Runs an approved shell command with the terminal, stdin, stdout and stderr of gorilla itself, untouched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from gorilla_cli.errors import GorillaError, StateError
from gorilla_cli.types import Approved, Outcome

# Start-up files and exported functions could change what the words of the command mean.
_DROPPED = {"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "ZDOTDIR"}
_ARGUMENTS = {"bash": ["--noprofile", "--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"], "sh": ["-c"]}


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what a shell would execute or obey before the command."""
    return {
        name: value for name, value in environment.items() if name not in _DROPPED and not name.startswith("BASH_FUNC_")
    }


@dataclass(frozen=True)
class ShellExecutor:
    """Runs commands in `environment`. `piped` was read from stdin already: the command gets it, then the rest."""

    environment: Mapping[str, str]
    piped: bytes | None = None

    def run(self, approved: Approved) -> Outcome:
        """Run it and wait. Raises StateError when it is not what was approved, GorillaError without the shell."""
        command = approved.candidate.action.command
        if Approved.digest_of(command, approved.shell, approved.cwd) != approved.digest:
            raise StateError("the command is not the one that was approved; nothing was run")
        shell = shutil.which(approved.shell, path=self.environment.get("PATH"))
        if shell is None:
            raise GorillaError(f"{approved.shell} is not installed", "gorilla config set shell sh")
        started = time.monotonic()
        code = self._wait([shell, *_ARGUMENTS[approved.shell], command], approved.cwd)
        return Outcome(code if code >= 0 else 128 - code, time.monotonic() - started)

    def _wait(self, argv: list[str], cwd: str) -> int:
        # A handler, not SIG_IGN: the child would inherit being deaf. Ctrl-C is for the command, which decides.
        previous = {number: signal.signal(number, _leave_it_to_the_child) for number in (signal.SIGINT, signal.SIGQUIT)}
        try:
            stdin = None if self.piped is None else subprocess.PIPE
            child = subprocess.Popen(argv, cwd=cwd or None, env=clean_environment(self.environment), stdin=stdin)
            if child.stdin is not None:
                threading.Thread(
                    target=_pump, args=(self.piped, child.stdin.fileno(), child.stdin), daemon=True
                ).start()
            return child.wait()
        except OSError as error:
            raise GorillaError(f"cannot run in {cwd}: {error.strerror}", "change to a directory that exists") from None
        except ValueError as error:  # a NUL byte, or half a character
            raise GorillaError(f"cannot run that: {error}", "edit the command") from None
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _leave_it_to_the_child(_number, _frame) -> None:
    """Do nothing; the signal has reached the command too."""


def _pump(head: bytes, target: int, stream) -> None:
    """Give the command what was read from stdin already, then the rest of it."""
    with contextlib.suppress(OSError), stream:
        chunk = head
        while chunk:
            view = memoryview(chunk)
            while view:
                view = view[os.write(target, view) :]
            chunk = os.read(0, 65536)
