"""The way in: `gorilla` and `python -m gorilla_cli`. Catches what a person may meet and turns it into one line."""

from __future__ import annotations

import os
import sys

from gorilla_cli import __version__


def main() -> None:
    """Run with the words of the command line; never returns."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"gorilla {__version__}")
        sys.exit(0)
    from gorilla_cli.cli.app import run

    code = run(arguments)
    try:
        sys.stdout.flush()
    except OSError:
        # The reader went away: what it did not read is not an error, and closing must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


if __name__ == "__main__":
    main()
