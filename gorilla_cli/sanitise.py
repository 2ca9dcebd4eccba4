"""Text from models, documents and file names, made harmless for a terminal. Pure; used by every floor.

The house has this at the top, in `render`; it lives on the ground because sources strip at import, the
character gate refuses, and render strips again at display: one table of code points serves all three.
"""

from __future__ import annotations

import re

# Every control, format, surrogate, line- and paragraph-separator code point but tab and newline, and blanks
# that show nothing. Visible Arabic, Syriac and Kaithi signs of category Cf are left alone.
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)


def show(text: str) -> str:
    """`text` with every control character spelled out (`\\x1b`, `\\u{202e}`), so that a terminal only prints it."""
    return CONTROL.sub(_spell, text)


def strip(text: str) -> str:
    """`text` without control characters, for documents on their way into the index."""
    return CONTROL.sub("", text)


def one_line(text: str) -> str:
    """`show`, and no newline or tab either: for menus and messages."""
    return " ".join(show(text).split())


def _spell(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\x{point:02x}" if point < 256 else f"\\u{{{point:x}}}"
