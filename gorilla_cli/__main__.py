"""The way in: `gorilla` and `python -m gorilla_cli`. Sees to the three standard streams; decides nothing."""

from __future__ import annotations

import contextlib
import os
import sys

from gorilla_cli import __version__


def main() -> None:
    """Run with the words of the command line; never returns."""
    code = 0
    _prepare_streams()
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:  # so early or so late that nobody else caught it
        code = 130
    except OSError as error:
        code = _unwritable(error, code)
    try:
        sys.stderr.flush()
    except OSError:
        _to_nowhere(2)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"gorilla {__version__}")
        return 0
    from gorilla_cli.cli.app import run

    return run(arguments)


def _prepare_streams() -> None:
    """Open a closed stream on nothing, or the next file opened would be written to as if it were stdout.

    What is written is UTF-8 in every locale: a command must not change, or fail, on its way to stdout.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    sys.stdin, sys.stdout, sys.stderr = (
        stream or open(number, mode, closefd=False)  # noqa: SIM115 - open as long as we are
        for number, (stream, mode) in enumerate(((sys.stdin, "r"), (sys.stdout, "w"), (sys.stderr, "w")))
    )
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        stream.reconfigure(encoding="utf-8", errors=errors)  # type: ignore[union-attr]


def _unwritable(error: OSError, code: int) -> int:
    """The exit code when stdout took less than was written to it: a reader that went away has what it wanted."""
    _to_nowhere(1)
    if isinstance(error, BrokenPipeError) or code:
        return code
    with contextlib.suppress(OSError):
        print(f"gorilla: cannot write the output: {error.strerror}", file=sys.stderr)
    return 4


def _to_nowhere(descriptor: int) -> None:
    """Send what is still in the buffer nowhere: at the end Python would fail on it again, with its own exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


if __name__ == "__main__":
    main()
