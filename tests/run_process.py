"""Runs one approved command as gorilla does, in a process of its own: its stdin is this process's.

Arguments: the shell, what was read from stdin already ("-" for nothing, else a number of bytes), the command.
"""

from __future__ import annotations

import os
import sys

from gorilla_cli.executors.shell import ShellExecutor
from gorilla_cli.types import Approved, Candidate, ShellCommand


def main(shell: str, taken: str, command: str) -> int:
    piped = None if taken == "-" else _read(int(taken))
    approved = Approved(Candidate(ShellCommand(command)), shell, "", Approved.digest_of(command, shell, ""))
    return ShellExecutor(dict(os.environ), piped).run(approved).exit_code


def _read(size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := os.read(0, size - len(data))):
        data += chunk
    return data


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
