"""From a syntax tree to the simple commands in it, wherever they hide. Pure; knows no program."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace

from gorilla_cli.verifiers.commands import Assignment, Parsed, Redirect, SimpleCommand
from gorilla_cli.verifiers.words import Word, quoting, resolve

DEEPEST = 150
_LINE_FEED = re.compile(r"(?<!\\)\n")
NESTED = ("command_substitution", "process_substitution")
SCOPES = {
    "subshell": "subshell",
    "compound_statement": "group",
    "if_statement": "condition",
    "case_statement": "condition",
    "negated_command": "",
}


@dataclass(slots=True)
class Node:
    """One node of the syntax tree; `start` and `end` in characters of the command."""

    type: str
    field: str
    start: int
    end: int
    missing: bool
    children: list[Node] = field(default_factory=list)


def build(rows: list[list], text: str) -> Node:
    """The tree of parser rows [type, field, first byte, end byte, depth, missing]. Spans become characters."""
    place = _characters(text)
    stack: list[Node] = []
    for kind, name, start, end, depth, missing in rows:
        node = Node(kind, name, place[min(start, len(place) - 1)], place[min(end, len(place) - 1)], bool(missing))
        del stack[depth:]
        if stack:
            stack[-1].children.append(node)
        stack.append(node)
    return stack[0]


def _characters(text: str) -> list[int]:
    if text.isascii():
        return list(range(len(text) + 1))
    place = []
    for number, character in enumerate(text):
        place += [number] * len(character.encode("utf-8", "replace"))
    return [*place, len(text)]


def commands(tree: Node, text: str) -> Parsed:
    """Every simple command below `tree`, in order of appearance."""
    walk = Walk(text)
    try:
        walk.visit(tree, Place())
    except _TooDeep:
        return Parsed(text, problem="nested too deeply to review", crashed=True)
    found = tuple(command for command in walk.found if command is not None)
    errors = tuple(walk.errors)
    problem = uncovered(text, walk.substitutions)
    return Parsed(text, found, problem, False, errors, frozenset(walk.functions), frozenset(walk.bound))


def line_breaks(tree: Node, text: str) -> list[tuple[int, int, str]]:
    """Where the grammar reads over the end of a line: edits (start, end, replacement of that length) that stop it.

    After a pipeline of three commands it takes the whole next line for operands of the last. To a shell such a line
    feed is what a semicolon is, and a comment before it is nothing.
    """
    found: list[tuple[int, int, str]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        for one, other in itertools.pairwise(node.children if node.type == "command" else ()):
            gap = text[one.end : other.start]  # without the words: a backslash that ends one escapes no line feed
            feed = _LINE_FEED.search(gap)
            if feed and not gap.strip(" \t\r\n\\"):
                found.append((one.end + feed.start(), one.end + feed.end(), ";"))
                found += [(c.start, c.end, " " * (c.end - c.start)) for c in (one, other) if c.type == "comment"]
    return found


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """`text` with each (start, end, replacement of that length)."""
    for start, end, replacement in edits:
        text = text[:start] + replacement + text[end:]
    return text


class _TooDeep(Exception):
    """More nesting than a person can review."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk is: the words for `context`, the commands that feed it, how deep, whether `&` follows."""

    context: tuple[str, ...] = ()
    sources: frozenset[int] = frozenset()
    depth: int = 0
    background: bool = False

    def inside(self, word: str = "", sources: frozenset[int] | None = None) -> Place:
        context = (*self.context, word) if word else self.context
        return Place(context, self.sources if sources is None else sources, self.depth + 1)


class Walk:
    """One pass over a tree that collects the simple commands and what else the verifiers ask for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[SimpleCommand | None] = []
        self.errors: list[tuple[int, int]] = []
        self.substitutions: list[tuple[int, int]] = []
        self.functions: set[str] = set()
        self.bound: set[str] = set()

    def visit(self, node: Node, place: Place) -> None:
        if place.depth > DEEPEST:
            raise _TooDeep
        if node.missing or (node.type == "ERROR" and self.text[node.start : node.end] != ">"):
            self.errors.append((node.start, node.end))  # a lone ">" is the grammar's reading of "<>"
        method = getattr(self, f"_{node.type}", None)
        if method:
            method(node, place)
        else:
            self._children(node, place.inside(SCOPES.get(node.type, "")))

    def _children(self, node: Node, place: Place) -> None:
        for number, child in enumerate(node.children, 1):
            background = "&" in [following.type for following in node.children[number : number + 1]]
            self.visit(child, replace(place, background=background))

    def _comment(self, node: Node, place: Place) -> None:
        """Nothing in a comment runs."""

    def _pipeline(self, node: Node, place: Place) -> None:
        sources = place.sources
        for stage in node.children:
            first = len(self.found)
            self.visit(stage, place.inside("pipeline", sources))
            sources |= frozenset(range(first, len(self.found)))

    def _list(self, node: Node, place: Place) -> None:
        """The grammar puts `b && c` of `a | b && c` into one stage: only `b` reads the pipe."""
        piped = place.sources if "pipeline" in place.context[-1:] else frozenset()
        for number, child in enumerate(node.children):
            self.visit(child, place.inside() if number == 0 else place.inside("", place.sources - piped))

    def _function_definition(self, node: Node, place: Place) -> None:
        name = next((self._raw(child) for child in node.children if child.field == "name"), "")
        self.functions.add(name)
        self._children(node, place.inside(f"function {name}"))

    def _for_statement(self, node: Node, place: Place) -> None:
        self.bound |= {self._raw(child) for child in node.children if child.field == "variable"}
        self._children(node, place.inside("loop"))

    def _c_style_for_statement(self, node: Node, place: Place) -> None:
        endless = re.match(r"for\s*\(\(\s*;\s*;", self._raw(node))
        self._children(node, place.inside("endless" if endless else "loop"))

    def _while_statement(self, node: Node, place: Place) -> None:
        condition = " ".join(self._raw(child) for child in node.children if child.field == "condition")
        endless = re.fullmatch(r"(:|true|\[ 1 \]|\(\( ?1 ?\)\))[;\s]*", condition)
        self._children(node, place.inside("endless" if endless else "loop"))

    def _command_substitution(self, node: Node, place: Place) -> None:
        self.substitutions.append((node.start, node.end))
        self._children(node, place.inside("substitution", frozenset()))

    _process_substitution = _command_substitution

    def _arithmetic_expansion(self, node: Node, place: Place) -> None:
        self.substitutions.append((node.start, node.end))
        self._children(node, place.inside())

    def _redirected_statement(self, node: Node, place: Place) -> None:
        body = [child for child in node.children if child.field != "redirect"]
        if len(body) == 1 and body[0].type in ("command", "declaration_command", "unset_command"):
            self._simple(body[0], place, _redirects(node))
            return
        number = self._simple(Node("", "", node.start, node.end, False), place, _redirects(node))
        for child in body:
            self.visit(child, replace(place.inside(), sources=place.sources | {number}))

    def _command(self, node: Node, place: Place) -> None:
        self._simple(node, place, [])

    _declaration_command = _unset_command = _variable_assignment = _test_command = _command

    def _simple(self, node: Node, place: Place, redirects: list[Node]) -> int:
        """Record one command, then walk what is nested in it."""
        number = len(self.found)
        self.found.append(None)
        parts = Parts(self.text)
        for child in [node] if node.type == "variable_assignment" else node.children:
            parts.take(child)
        for child in redirects:
            parts.redirect(child)
        inner = self._nested([node, *redirects], place, number)
        self.found[number] = SimpleCommand(
            words=parts.words(),
            span=(node.start, max([node.end, *(child.end for child in redirects if child.type == "file_redirect")])),
            number=number,
            redirects=tuple(parts.redirects),
            assignments=tuple(parts.assignments),
            context=" ".join(place.context),
            sources=place.sources | inner,
            background=place.background,
        )
        return number

    def _nested(self, nodes: list[Node], place: Place, number: int) -> frozenset[int]:
        """Walk the substitutions and heredoc followers below `nodes`; the numbers of those that feed `number`."""
        feeding: set[int] = set()
        for node in nodes:
            for child in node.children:
                first = len(self.found)
                if child.type in NESTED:
                    outward = self.text.startswith(">(", child.start)
                    self._substitution(child, place, number if outward else None)
                    feeding |= set() if outward else set(range(first, len(self.found)))
                elif node.type == "heredoc_redirect" and child.type in ("pipeline", "command", "list"):
                    self.visit(child, place.inside("pipeline", place.sources | {number}))
                else:
                    deeper = place.inside()
                    if deeper.depth > DEEPEST:
                        raise _TooDeep
                    if child.missing or (child.type == "ERROR" and self._raw(child) != ">"):
                        self.errors.append((child.start, child.end))
                    if child.type == "arithmetic_expansion":
                        self.substitutions.append((child.start, child.end))
                    feeding |= self._nested([child], deeper, number)
        return frozenset(feeding)

    def _substitution(self, node: Node, place: Place, source: int | None) -> None:
        self.substitutions.append((node.start, node.end))
        sources = frozenset() if source is None else place.sources | {source}
        self._children(node, place.inside("substitution", sources))

    def _raw(self, node: Node) -> str:
        return self.text[node.start : node.end]


def _redirects(node: Node) -> list[Node]:
    return [child for child in node.children if child.field == "redirect"]


class Parts:
    """The words, redirects and assignments of one command, gathered from its nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: list[tuple[int, int]] = []
        self.redirects: list[Redirect] = []
        self.assignments: list[Assignment] = []

    def words(self) -> tuple[Word, ...]:
        """Parts that touch, or have only an escaped newline between them, are one word."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(self.spans):
            if joined and not self.text[joined[-1][1] : start].replace("\\\n", ""):
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        words = tuple(word for span in joined for word in resolve(self.text[slice(*span)], span))
        return () if [word.raw for word in words] == ["}"] else words  # closes what `time {` or `coproc {` opened

    def take(self, node: Node) -> None:
        if node.type.endswith("_redirect"):
            self.redirect(node)
        elif node.type == "variable_assignment":
            self.assign(node)
        elif node.type == "test_operator" or node.type.endswith("_expression"):
            return  # the inside of [ ] and [[ ]]: no words of a command
        elif node.type not in (";", "\n", "&"):
            self.spans.append((node.start, node.end))

    def assign(self, node: Node) -> None:
        name = next((child for child in node.children if child.field == "name"), node)
        value = next((child for child in node.children if child.field == "value"), None)
        start, end = (value.start, value.end) if value else (node.end, node.end)
        word = resolve(self.text[start:end], (start, end))
        self.assignments.append(Assignment(self.text[name.start : name.end], word[0]))

    def redirect(self, node: Node) -> None:
        if node.type == "heredoc_redirect":
            self._heredoc(node)
            return
        targets = [child for child in node.children if child.field == "destination"]
        if node.type == "herestring_redirect":
            targets = node.children[1:]
        operator = "".join(self.text[child.start : child.end] for child in node.children if _is_operator(child))
        words = [word for child in targets[:1] for word in resolve(self.text[child.start : child.end], _span(child))]
        self.redirects.append(Redirect(operator, words[0] if words else None, _span(node)))
        self.spans += [_span(child) for child in targets[1:]]  # the grammar counts later words as targets

    def _heredoc(self, node: Node) -> None:
        body = next((self.text[slice(*_span(child))] for child in node.children if child.type == "heredoc_body"), "")
        operator = self.text[node.start : node.end].lstrip("0123456789")[:2]
        self.redirects.append(Redirect(operator, None, _span(node), body))
        for child in node.children:
            if child.field == "redirect":
                self.redirect(child)
            elif child.field == "argument":
                self.spans.append(_span(child))


def _span(node: Node) -> tuple[int, int]:
    return (node.start, node.end)


def _is_operator(node: Node) -> bool:
    return node.field not in ("destination", "descriptor") and bool(re.match(r"[<>&|-]+$|ERROR$", node.type))


_MARKER = re.compile(r"`|\$\(|[<>]\(")


def uncovered(text: str, substitutions: list[tuple[int, int]]) -> str:
    """The accounting check: a problem when a substitution that the shell would run is in no node of the tree."""
    marks = quoting(text)
    # Inside double quotes the grammar counts blanks before a substitution as part of it.
    edges = {start + len(text[start:]) - len(text[start:].lstrip()) for start, _ in substitutions}
    edges |= {end - 1 for _, end in substitutions if text[end - 1 : end] == "`"}
    for match in _MARKER.finditer(text):
        active = "u" if match[0][0] in "<>" else "udh"
        if marks[match.start()] in active and match.start() not in edges:
            return f"hides a substitution at character {match.start() + 1}"
    return ""
