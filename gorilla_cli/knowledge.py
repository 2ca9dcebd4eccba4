"""What gorilla knows of this machine: the index, and the pages that are put into it when a program is first named.

Composes sources and retrieval; the pipeline sees a Retriever and a Manual.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gorilla_cli.errors import StateError
from gorilla_cli.types import Doc, ExampleHit, Hit

NAMED_AT_MOST = 2  # pages read on demand for one request: each costs about a tenth of a second


class Pages(Protocol):
    """A source that can read the pages of one program at once."""

    def page(self, program: str) -> list[Doc]: ...


class Index(Protocol):
    """The index as this room needs it."""

    def search(self, query: str, k: int) -> list[Hit]: ...

    def examples(self, query: str, k: int) -> list[ExampleHit]: ...

    def manual(self, program: str) -> list[Doc]: ...


class Knowledge:
    """An index that grows on demand: a program that a request or a candidate names gets its page read then.

    `pages()` gives the source of such pages; `add(path, docs)` writes into the index at `path`. When that fails, the
    page is used all the same.
    """

    def __init__(
        self,
        path: Path,
        index: Index,
        pages: Callable[[], Pages],
        add: Callable[[Path, list[Doc]], int],
        installed: Callable[[str], bool],
    ) -> None:
        self._path, self._index, self._pages, self._add, self._installed = path, index, pages, add, installed
        self._asked: dict[str, list[Doc]] = {}

    def search(self, query: str, k: int) -> list[Hit]:
        """As the index does, after reading the pages of installed programs that the query names and it lacks."""
        named = dict.fromkeys(re.findall(r"[A-Za-z0-9][\w.+-]*[\w+]", query))
        new = [word for word in named if self._installed(word) and not self._index.manual(word)]
        for word in new[:NAMED_AT_MOST]:
            self._demand(word)
        return self._index.search(query, k)

    def examples(self, query: str, k: int) -> list[ExampleHit]:
        """As the index does."""
        return self._index.examples(query, k)

    def manual(self, program: str) -> list[Doc]:
        """All documents of `program`, the installed version's own page first, read now when it is not indexed yet."""
        docs = self._index.manual(program)
        if any(doc.source == "man" for doc in docs) or not any(map(self._installed, program.split()[:1])):
            return docs
        return self._demand(program) + docs

    def _demand(self, program: str) -> list[Doc]:
        if program not in self._asked:
            found = self._pages().page(program)
            self._asked[program] = [doc for doc in found if doc.program == program]
            with contextlib.suppress(StateError):
                if found:
                    self._add(self._path, found)
        return self._asked[program]
