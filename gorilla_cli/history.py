"""What was run, as JSON lines readable only by the user. Secrets are taken out before a line reaches the disk."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

from gorilla_cli.errors import StateError
from gorilla_cli.types import Trace

MARK = "<redacted>"
_WORD = r"(?!\"?\$[\w{(])('[^']*'|\"[^\"]*\"|[^\s'\"]+)"  # a value; "$NAME" names a secret without giving it away
_NAME = r"(?:password|passwd|passphrase|passwort|secret|token(?!s|i[zs]|[_-]?(?:count|limit))|api[_-]?key|credential)"
# Each pattern keeps its group 1 and, where there is one, group 3.
_SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@]*:)(?!\$)([^\s/@]+)(@)",  # user:password@ in a URL
        rf"((?<![\w-])--?(?!no-|-)(?:[\w-]{{0,40}}{_NAME}|pass|auth|pw)[= ]\s*)(?!-){_WORD}",
        rf"((?<![\w-])[\w-]{{0,40}}(?:{_NAME}|[_-]pwd|[_-]pass|access_?key|private_?key)[\w-]{{0,40}}?(?<!passwordauthentication)[=:]\s*)"
        rf"(?!=){_WORD}",
        rf"(\b{_NAME} is )([^\s'\"]*[\d!@#$%^&*][^\s'\"]*)",  # in a sentence: only what looks like one
        r"(authorization:\s*(?:bearer|basic|token|digest)\s+)(?!\$)([\w.~+/=-]+)",
        r"((?:set-)?cookie:\s*)([^'\"\n]+)",
        r"(\b(?:curl|wget)\b[^|;&\n]*?\s(?:-u|--user)[ =]?['\"]?[^\s:'\"]+:)(?!\$)([^\s'\"]+)",
        r"(\bmysql\w*\b[^|;&\n]*?\s(?-i:-p))(?!\$)([^\s'\"]+|'[^']*'|\"[^\"]*\")",
        rf"(\b(?:sshpass|7z|7za) [^|;&\n]*?(?-i:-p) ?){_WORD}",
        rf"(\b(?:zip|unzip)\b[^|;&\n]*?\s(?-i:-P) ?){_WORD}",
        rf"(\b(?:docker|podman|helm) [^|;&\n]*?\blogin\b[^|;&\n]*? -p ){_WORD}",
        rf"(\bredis-cli\b[^|;&\n]*? (?-i:-a) ?){_WORD}",
        rf"(\bldap\w+\b[^|;&\n]*? (?-i:-w) ?){_WORD}",
        r"(\b(?:smbclient|rpcclient)\b[^|;&\n]*? -U ?['\"]?[^\s%'\"]+%)([^\s'\"]+)",
        r"(\bpass:)(?!\$)([^\s'\"]+)",  # openssl -passin pass:...
        r"(\becho\s+(?:-n\s+)?)(?!\"?\$)('[^']*'|\"[^\"]*\"|[^\s|'\"]+)(\s*\|\s*(?:sudo\b[^|]*\s-\w*S|chpasswd\b|su\b))",
        r"(https://hooks\.slack\.com/(?:services|workflows)/)([\w/-]+)",
        r"()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
        r"()(\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",  # JSON web token
    )
] + [
    re.compile(pattern)
    for pattern in (
        r"()(\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)",
        r"()(\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_\w{20,}\b|\bglpat-[\w-]{16,}\b)",
        r"()(\bsk-[A-Za-z0-9_-]{20,}\b|\b[sr]k_(?:live|test)_\w{16,}\b|\bhf_[A-Za-z0-9]{16,}\b|\bnpm_\w{30,}\b)",
        r"()(\bxox[abprs]-[\w-]{10,}\b|\bAIza[\w-]{30,}\b|\bya29\.[\w-]{20,}|\bpypi-[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,})",
        r"()(\bAGE-SECRET-KEY-1[A-Z0-9]{20,}\b|\bdop_v1_[0-9a-f]{32,}\b)",
    )
]


def redacted(text: str) -> str:
    """`text` with passwords, tokens and keys replaced by a mark."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: match[1] + MARK + (match[3] if match.re.groups > 2 else ""), text)
    return text


class History:
    """The traces of one user, oldest first. A line per event; the last line of an id counts."""

    def __init__(self, file: Path, enabled: bool = True) -> None:
        self._file, self._enabled = file, enabled

    def add(self, identity: str, trace: Trace) -> None:
        """Append a trace. A request that begins with a blank is not recorded. Raises StateError."""
        if not self._enabled or trace.request.startswith(" "):
            return
        trace = replace(trace, request=redacted(trace.request), command=redacted(trace.command))
        line = json.dumps({"id": identity, **asdict(trace)}) + "\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._append(line.encode())
        except OSError as error:
            raise StateError(
                f"cannot write the history {self._file}: {error.strerror}",
                "free some space, or: gorilla config set history off",
            ) from None

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the last writer was cut off: its damage ends here
            if os.write(descriptor, line) < len(line):  # one write: lines of two processes never mix
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)

    def traces(self, words: str = "") -> list[Trace]:
        """The traces whose request or command has every one of `words`, oldest first. Damaged lines are left out."""
        wanted = words.lower().split()
        found: dict[str, Trace] = {}
        for identity, trace in self._lines():
            text = f"{trace.request} {trace.command}".lower()
            if all(word in text for word in wanted):
                found.pop(identity, None)
                found[identity] = trace
        return list(found.values())

    def _lines(self) -> Iterator[tuple[str, Trace]]:
        try:
            stream = open(self._file, encoding="utf-8", errors="replace")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateError(f"cannot read the history {self._file}: {error.strerror}") from None
        with stream:
            for line in stream:
                try:
                    yield _read(json.loads(line))
                except (ValueError, TypeError, KeyError, RecursionError):
                    continue


_KINDS: dict[str, tuple[type, ...]] = {"edited": (bool,), "exit_code": (int, type(None))}


def _read(data: dict) -> tuple[str, Trace]:
    """The id and the trace of a line. Raises KeyError, TypeError when it is damaged; fields of later versions go."""
    values = {field.name: data[field.name] for field in fields(Trace) if field.name in data}
    for name, value in [("id", data["id"]), *values.items()]:
        if not isinstance(value, _KINDS.get(name, (str,))):
            raise TypeError(name)
    return data["id"], Trace(**values)
