"""Chat formats as data: turns in, the model's own marks around them out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gorilla_cli.errors import UsageError

# What tokenizers read as one special token, in group 1 whatever the format; the rest is text to other models.
_MARK = re.compile(r"(<\|[\w.-]{1,40}\|>)|<\w{1,20}_of_turn>|</?s>|\[/?INST\]|<<\w{1,20}>>")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `role` is "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """The marks of one family of models; see chat_formats.toml."""

    user: str
    assistant: str
    opening: str
    stop: tuple[str, ...]
    system: str = ""
    demonstrations: bool = True

    def render(self, turns: Sequence[Turn], functions: str = "[]") -> str:
        """The turns as one text. Without a place for system text, it goes before the next user turn."""
        parts, pending = [], ""
        for turn in turns:
            content = turn.content
            if turn.role == "system" and not self.system:
                pending = content + "\n\n" if self.demonstrations else ""
                continue
            if turn.role == "user":
                content, pending = pending + content, ""
            values = {"content": self._as_text(content), "functions": self._as_text(functions)}
            parts.append(fill(getattr(self, turn.role), **values))
        return "".join(parts)

    def _as_text(self, content: str) -> str:
        """`content` with its own marks broken: a document or a file must not be able to end the turn it stands in."""
        own = "\n".join((self.system, self.user, self.assistant, self.opening, *self.stop))

        def broken(match: re.Match[str]) -> str:
            return f"{match[0][0]} {match[0][1:]}" if match[1] or match[0] in own else match[0]

        return _MARK.sub(broken, content)


def fill(template: str, **values: str) -> str:
    """Replace each {name} of `values`; other braces, in the template or the values, are text."""
    return re.sub("{(" + "|".join(values) + ")}", lambda match: values[match[1]], template)


@cache
def chat_formats() -> dict[str, ChatFormat]:
    """All formats by name."""
    data = tomllib.loads((Path(__file__).parent / "chat_formats.toml").read_text(encoding="utf-8"))
    return {name: ChatFormat(**{**table, "stop": tuple(table["stop"])}) for name, table in data.items()}


def chat_format(name: str) -> ChatFormat:
    """The format called `name`. Raises UsageError when there is none."""
    try:
        return chat_formats()[name]
    except KeyError:
        raise UsageError(f"no chat format is called {name!r}", f"known: {', '.join(chat_formats())}") from None
