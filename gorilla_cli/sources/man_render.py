"""Turns the source of a manual page into plain text, with the machine's own tools. Parses nothing.

mandoc is 18 times cheaper than man-db, so it goes first. The argument lists are fixed, there is no shell, and the
environment is made here: no LESSOPEN, MANPAGER or MANROFFOPT of the user reaches these tools.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from gorilla_cli.sources import man_html

TOOL_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/run/current-system/sw/bin"
MAX_BYTES = 16 << 20
MAX_MEMORY = 1 << 30
SECONDS = 20
# So wide that a paragraph is one line: then a line that begins with an option is never a wrapped sentence.
WIDTH = 3000
MANDOC = ("mandoc", "-T", "html", "-O", "fragment")
MAN_DB = ("man", "--nh", "--nj", "-P", "cat", "-l", "-")
ENVIRONMENT = {
    **{"LC_ALL": "C.UTF-8", "TERM": "dumb", "MANWIDTH": str(WIDTH)},
    **{"MAN_KEEP_FORMATTING": "1", "GROFF_NO_SGR": "1"},  # overstrike, which tells names from arguments
}
BOLD = re.compile("(.)\b\\1")
GLUED_ITALIC = re.compile("(?<![^\\s,])(--?\\w[\\w-]*)((?:_\b[\\w-])+)")
OVERSTRIKE = re.compile(".\b")
ESCAPES = re.compile("\x1b\\[[0-9;]*m")


def renderer(tools: str = TOOL_PATH) -> tuple[str, ...]:
    """The argument list of the best renderer found in `tools` (a PATH); empty when there is none."""
    for argv in (MANDOC, MAN_DB):
        if shutil.which(argv[0], path=tools):
            return argv
    return ()


def render(source: bytes, root: Path, tools: str = TOOL_PATH) -> str:
    """The page as text: headings in column 0, one line a paragraph. "" when it cannot be rendered within the limits.

    `root` is the manpath entry, to which ".so" lines inside the page are relative.
    """
    argv = renderer(tools)
    if not argv:
        return ""
    text = run_capped(argv, source, tools, root).decode("utf-8", errors="replace")
    return man_html.as_text(text) if argv is MANDOC else _plain(text)


def _plain(text: str) -> str:
    """Terminal text without its bold and italic, but for one thing that only they tell: where a name ends.

    "-newer" followed directly by an italic "XY" becomes "-newer<XY>".
    """
    text = BOLD.sub(r"\1", ESCAPES.sub("", text))
    text = GLUED_ITALIC.sub(lambda match: f"{match[1]}<{OVERSTRIKE.sub('', match[2])}>", text)
    return OVERSTRIKE.sub("", text)


def run_capped(argv: tuple[str, ...], source: bytes, tools: str, folder: Path) -> bytes:
    """What the tool writes to stdout for `source` on stdin. b"" when it fails, is too slow or writes too much."""
    program = shutil.which(argv[0], path=tools)
    if program is None:
        return b""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(source)
        stdin.seek(0)
        process = subprocess.Popen(
            (program, *argv[1:]),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"PATH": tools, **ENVIRONMENT},
            start_new_session=True,
        )
    return _read_capped(process)


def _read_capped(process: subprocess.Popen[bytes]) -> bytes:
    """All of stdout up to the limit; the process and what it started are gone afterwards."""
    _limit(process.pid)
    timer = threading.Timer(SECONDS, _kill, [process])
    timer.daemon = True
    timer.start()
    try:
        with process:
            output = process.stdout.read(MAX_BYTES + 1)
            if len(output) > MAX_BYTES:
                _kill(process)
            code = process.wait()
    except BaseException:
        _kill(process)
        raise
    finally:
        timer.cancel()
    return output if code >= 0 and len(output) <= MAX_BYTES else b""


def _limit(pid: int) -> None:
    """Bound memory and CPU of a process that has just started and of its children, where the system can."""
    import resource

    if hasattr(resource, "prlimit"):
        with contextlib.suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
            resource.prlimit(pid, resource.RLIMIT_CPU, (SECONDS, SECONDS))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
