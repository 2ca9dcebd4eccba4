"""mandoc's HTML as text in the layout of a rendered page: headings in column 0, one line a paragraph, lists indented.

Knows the few elements mandoc writes; anything else is only its text. Never shown to anybody: it is parsed again.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

BODY, STEP = 7, 4
CELL = "\x1f"
SKIPPED = {"head", "foot"}
ITALIC = {"i", "var"}
GLUED = re.compile(r"(?:^|[\s,])--?\w[\w-]*\Z")  # an italic argument follows the name without a blank: "-newerXY"
DEEPER = {"dd", "li"}
BREAKS = {"p", "dt", "dd", "li", "pre", "tr", "h1", "h2", "h3", "div", "dl", "ul", "ol", "table", "section"}


class _Layout(HTMLParser):
    """Collects lines of (indent, text) while mandoc's elements go by."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._text: list[str] = []
        self._depth = 0
        self._indent: int | None = None  # of a heading; None is the depth's
        self._stack: list[int] = []  # what each open <div> added to the depth
        self._pre = 0
        self._skipped = 0
        self._italic = False
        self._break = -1  # the column of a <br/> just before the next text
        self._hanging = False  # the line begins with blanks of the page's author, so it stands deeper

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = set((dict(attrs).get("class") or "").split())
        if tag == "table" and (self._skipped or classes & SKIPPED):
            self._skipped += 1
        if tag in BREAKS or tag == "br":
            self._flush()
        if tag == "br" and not self._pre:
            self._break = self.getpos()[1]
        if tag in BREAKS and not self._pre:
            self._blank(tag)
        if tag in ("h1", "h2", "h3"):
            self._indent = 0 if "Sh" in classes else 3
        elif tag == "div":
            self._stack.append(1 if "Bd-indent" in classes else 0)
            self._depth += self._stack[-1]
        elif tag == "td":
            self._text.append(CELL)
        self._italic = tag in ITALIC
        self._depth += tag in DEEPER
        self._pre += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in BREAKS:
            self._flush()
        if tag == "table" and self._skipped:
            self._skipped -= 1
        if tag in ("h1", "h2", "h3"):
            self._indent = None
        elif tag == "div" and self._stack:
            self._depth -= self._stack.pop()
        self._depth = max(0, self._depth - (tag in DEEPER))
        self._pre = max(0, self._pre - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if self._break >= 0 and not self._text:
            self._hanging = len(data) - len(data.lstrip()) - 1 > self._break
            self._break = -1
        if self._italic and re.fullmatch(r"[\w-]+", data) and GLUED.search("".join(self._text[-8:])):
            data = f"<{data}>"
        self._italic = False
        if not self._pre:
            self._text.append(data)
            return
        first, *others = data.split("\n")
        self._text.append(first)
        for line in others:
            self._flush()
            self._text.append(line)

    def close(self) -> None:
        super().close()
        self._flush()

    def _flush(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if self._pre:
            text = text.rstrip()
        else:
            # Two blanks between the cells of a table set a description apart, as they do in rendered pages.
            text = "  ".join(" ".join(cell.split()) for cell in text.split(CELL) if cell.strip())
        if text.strip():
            indent = BODY + STEP * (self._depth + self._hanging) if self._indent is None else self._indent
            self._hanging = False
            self.lines.append(" " * indent + text)

    def _blank(self, tag: str) -> None:
        if tag not in ("dd", "tr") and self.lines and self.lines[-1]:
            self.lines.append("")


def as_text(html: str) -> str:
    """`html`, a fragment as `mandoc -T html -O fragment` writes it, as text."""
    layout = _Layout()
    layout.feed(html)
    layout.close()
    return "\n".join(layout.lines)
