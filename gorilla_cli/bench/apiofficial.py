"""The scores of Gorilla's published evaluation scripts, faults included, so that published figures can be compared.

Ours are in `apicalls`; these are kept only to be the same. The known faults: a required argument counts as given when
it is anywhere in the candidate's text, so `resnet` is in `fcn_resnet50`; the first row of the table that fits wins, so
the order of the file decides; when no part of the answer has a row's function name the last part is compared with it;
an answer whose quotes are escaped falls apart; right means the same domain; on torchhub an answer without the words
api_call is an error and no hallucination. Reads no file, runs nothing. Needs tree-sitter-python (extra `bench`).

Patil et al., arXiv 2305.15334, section 4 (AST sub-tree matching).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gorilla_cli.errors import GorillaError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

PUNCTUATION = ("(", ")", ",")


@lru_cache(maxsize=1)
def _parser() -> Parser:
    try:
        import tree_sitter_python
        from tree_sitter import Language, Parser
    except ImportError:
        raise GorillaError("tree-sitter-python is not installed", "pip install 'gorilla-cli-local[bench]'") from None
    return Parser(Language(tree_sitter_python.language()))


def _tree(text: str) -> Node:
    return _parser().parse(text.encode("utf-8", "replace")).root_node


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


# ---------------------------------------------------------------- the answer


def cut(text: str, hub: str) -> str | None:
    """The part of an answer that is parsed: from two characters after the first colon behind api_call to the last `)`.

    Without api_call the whole text, on torchhub None.
    """
    parts = text.split("api_call")
    if len(parts) == 1:
        return None if hub == "torchhub" else text
    part = parts[1].split("api_provider")[0]
    start = max(part.find(":"), 0) + 2
    end = part.rfind(")")
    return part[start : end + 1] if end >= 0 else part[start:-1]


def _candidates(text: str) -> Iterator[tuple[str, str]]:
    """(text of its first child, text) of every node that has children, outer ones first, later siblings first."""
    waiting = [_tree(text)]
    while waiting:
        node = waiting.pop()
        if node.children:
            yield _text(node.children[0]), _text(node)
        waiting += node.children


# ---------------------------------------------------------------- a row of the table


@dataclass(frozen=True, slots=True)
class Row:
    """What the scripts look for: a function name, and argument texts, quotes taken off. Without any it never fits."""

    function: str
    needles: tuple[str, ...]
    domain: str


def _row(call: str, domain: str, hub: str) -> Row:
    node = _tree(call)
    for _ in range(2):  # module, statement
        if not node.children:
            return Row("", (), domain)
        node = node.children[0]
    if not node.children:
        return Row("", (), domain)
    arguments = node.children[1].children if len(node.children) > 1 else []
    needles = [_needle(one, hub) for one in arguments if _text(one) not in PUNCTUATION]
    return Row(_text(node.children[0]), tuple(one.strip("'") for one in needles if one is not None), domain)


def _needle(argument: Node, hub: str) -> str | None:
    """The text of an argument that an answer must hold; None when the scripts of this hub leave it out."""
    text = _text(argument)
    if hub == "torchhub":
        return _value(argument) if "repo_or_dir" in text or "model" in text else None
    marked = ("model=" in text or "model =" in text) if hub == "tensorflowhub" else "=" in text
    return _value(argument) if marked else text


def _value(argument: Node) -> str:
    return _text(argument.children[2] if len(argument.children) > 2 else argument)


# ---------------------------------------------------------------- scoring


class Official:
    """The published scorer of one hub: "torchhub", "huggingface" or "tensorflowhub".

    `rows` are (call, domain) pairs in the order of the file, repeated ones too. Raises GorillaError when
    tree-sitter-python is not installed.
    """

    def __init__(self, hub: str, rows: Iterable[tuple[str, str]]) -> None:
        self._hub = hub
        self._rows = [row for row in (_row(call, domain, hub) for call, domain in rows) if row.needles]

    def outcome(self, answer: str, domain: str) -> str:
        """ "correct", "error" or "hallucination" of one answer, against the domain of its reference."""
        part = cut(answer, self._hub)
        if part is None:
            return "error"
        found = self._first(_candidates(part))
        if found is None:
            return "hallucination"
        return "correct" if found.domain == domain else "error"

    def _first(self, candidates: Iterable[tuple[str, str]]) -> Row | None:
        by_function: dict[str, str] = {}
        last = ""
        for function, last in candidates:  # names not found fall back to the last one
            by_function.setdefault(function, last)
        if not by_function:
            return None
        for row in self._rows:
            text = by_function.get(row.function, last)
            if all(needle in text for needle in row.needles):
                return row
        return None
