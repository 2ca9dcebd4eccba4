"""From what a small model wrote to the command in it: fences, prompts, prose and explanations taken away. Pure."""

from __future__ import annotations

import re
import shlex

_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[ \t]*$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_PROMPT = re.compile(r"^(?:[\w.-]+@[\w.-]+(?::[^\s$#]*)?)?[$#%>❯][ \t]+(?=\S)")
_LABEL = re.compile(
    r"^(?:the )?(?:shell |bash |corrected )?(?:command|answer|output|solution)(?: is)?:[ \t]*", re.IGNORECASE
)
# A line of prose: a capital, several plain words, and an end that no command has.
_PROSE = re.compile(r"^(?:[-*] )?[A-Z][\w']*(?:[ ,]+[\w'`/-]+){2,}.*[.:!?]$")
_CONTINUES = re.compile(r"(\\|\||&&|\|\||\bdo|\bthen|\belse|\{|\()$")


def command_in(completion: str) -> str:
    """The command in `completion`, or "" when there is none. Total: any text is accepted."""
    text = _THINKING.sub("", completion).replace("\r\n", "\n").replace("\0", "")
    text = _unfenced(text)
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    kept = _command_lines(lines)
    command = "\n".join(kept).strip()
    return _unwrapped(command)


def _unfenced(text: str) -> str:
    """The first non-empty fenced block; without an opening fence, what stands before a closing one."""
    fences = list(_FENCE.finditer(text))
    if not fences:
        return text
    if len(fences) == 1:
        before, after = text[: fences[0].start()], text[fences[0].end() :]
        # A single fence closes a block that the prompt opened, unless it names a language or nothing precedes it.
        return after if fences[0][1] or not before.strip() else before
    for opening, closing in zip(fences, fences[1:], strict=False):
        block = text[opening.end() : closing.start()]
        if block.strip():
            return block
    return ""


def _command_lines(lines: list[str]) -> list[str]:
    """The lines that belong to the command: leading prose and comments go, and all from the first prose after it."""
    kept: list[str] = []
    heredoc = ""
    for line in lines:
        if heredoc:
            kept.append(line)
            heredoc = "" if line.strip() == heredoc else heredoc
            continue
        line = _LABEL.sub("", _PROMPT.sub("", line)) if not _continues(kept) else line
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _PROSE.match(line) and not _continues(kept):
            if kept:
                break
            line = _quoted_in_prose(line)
            if not line:
                continue
        kept.append(line)
        heredoc = _heredoc_word(line)
    return kept


def _continues(kept: list[str]) -> bool:
    return bool(kept) and bool(_CONTINUES.search(kept[-1]))


def _quoted_in_prose(line: str) -> str:
    """In "You can use `ls -a`." the command is what the backticks hold."""
    match = _INLINE.search(line)
    return match[1] if match else ""


def _heredoc_word(line: str) -> str:
    match = re.search(r"<<-?\s*(['\"]?)(\w+)\1", line)
    return match[2] if match else ""


def _unwrapped(command: str) -> str:
    """A command that stands as a whole in single backticks or asterisks, without them."""
    for mark in ("`", "**"):
        if len(command) > 2 * len(mark) and command.startswith(mark) and command.endswith(mark):
            inner = command[len(mark) : -len(mark)]
            if mark not in inner:
                return inner.strip()
    return command


def normal_form(command: str) -> str:
    """Two commands with the same normal form are the same to a shell, quoting and blanks aside."""
    try:
        return "\0".join(shlex.split(command, comments=False))
    except ValueError:
        return " ".join(command.split())
