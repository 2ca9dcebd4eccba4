"""The only module that touches a terminal: asks on it, draws on it. People read stderr; stdout stays for data.

Answers are read from the terminal itself, never from stdin, and what was typed ahead does not count.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from gorilla_cli.render import (
    Fragment,
    candidate_fragments,
    cite_fragments,
    command_fragments,
    complaints,
    menu_fragments,
)
from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Candidate, Proposal, Verdict

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.input import Input

# style -> (SGR code, prompt_toolkit style); a terminal without colour gets the words alone.
_STYLES = {
    "command": ("1", "bold"),
    "number": ("2", "ansigray"),
    "selected": ("1;36", "bold ansicyan"),
    "safe": ("32", "ansigreen"),
    "caution": ("33", "ansiyellow"),
    "dangerous": ("1;31", "bold ansired"),
    "mark-caution": ("1;33", "bold ansiyellow"),
    "mark-dangerous": ("1;31", "bold ansired"),
    "token": ("1", "bold"),
    "source": ("2", "ansigray"),
}


@dataclass(frozen=True)
class Choice:
    """What was done in the menu: "run" or "edit" the candidate at `index`, or "leave"."""

    what: str
    index: int = 0


def colour_wanted(environment: dict[str, str], is_tty: bool) -> bool:
    """NO_COLOR wins, then FORCE_COLOR or CLICOLOR_FORCE, then TERM=dumb, then whether it is a terminal."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR") or environment.get("CLICOLOR_FORCE"):
        return True
    return is_tty and environment.get("TERM", "dumb") != "dumb"


class Terminal:
    """The person's terminal. `dumb`: no cursor movement (TERM=dumb), so the menu is a numbered list and a line."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._is_tty = sys.stderr.isatty()
        self.dumb = environment.get("TERM", "dumb") == "dumb"
        self.colour = colour_wanted(environment, self._is_tty)

    def available(self) -> bool:
        """Can a question be asked: is there a controlling terminal, and is stderr on one?"""
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            return False
        return self._is_tty

    def say(self, text: str) -> None:
        """A message for the person. A closed stderr is no reason to fail."""
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)

    def show(self, fragments: Sequence[Fragment]) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("".join(self._styled(style, text) for style, text in fragments))
            sys.stderr.flush()

    def _styled(self, style: str, text: str) -> str:
        code = _STYLES.get(style, ("", ""))[0]
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text

    @contextlib.contextmanager
    def spinner(self, label: str) -> Iterator[None]:
        """A moving line on a terminal while the body runs; nothing elsewhere."""
        if not self._is_tty or self.dumb:
            yield
            return
        done = threading.Event()

        def spin() -> None:
            frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if "utf" in (sys.stderr.encoding or "").lower() else "|/-\\"
            step = 0
            while True:
                sys.stderr.write(f"\r{frames[step % len(frames)]} {label}")
                sys.stderr.flush()
                step += 1
                if done.wait(0.1):
                    break
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

        thread = threading.Thread(target=spin, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextlib.contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """A progress bar fed with (done, total); a line for every tenth part where there is no terminal."""
        bar = _Bar(label, live=self._is_tty and not self.dumb)
        try:
            yield bar.update
        finally:
            bar.close()

    def choose(self, proposal: Proposal) -> Choice:
        """Let the person pick a candidate. Raises KeyboardInterrupt on Ctrl-C."""
        if self.dumb:
            return self._choose_plainly(proposal)
        with _tty_input() as (source, forget):
            return _menu(proposal, self.colour, source).run(pre_run=forget)

    def display(self, proposal: Proposal) -> None:
        """All candidates, for reading alone."""
        for i, candidate in enumerate(proposal.candidates):
            self.show(candidate_fragments(candidate, i + 1, False))

    def _choose_plainly(self, proposal: Proposal) -> Choice:
        self.display(proposal)
        while True:
            answer = self.ask_line("Number to run, e NUMBER to edit, ? NUMBER to explain, q to leave: ")
            match = re.fullmatch(r"\s*([e?]?)\s*(\d{0,3})\s*", answer)
            index = int((match and match[2]) or "1") - 1
            if not match or not answer.strip() or not 0 <= index < len(proposal.candidates):
                return Choice("leave")
            if match[1] != "?":
                return Choice("edit" if match[1] == "e" else "run", index)
            self.show(cite_fragments(proposal.candidates[index]))

    def edit(self, command: str) -> str:
        """The command after the person edited it; "" when they left. Raises KeyboardInterrupt on Ctrl-C."""
        from prompt_toolkit import PromptSession

        with _tty_input() as (source, _):
            session: PromptSession[str] = PromptSession(input=source, output=_tty_output())
            try:
                return session.prompt("edit> ", default=command)
            except EOFError:
                return ""

    def confirm(self, candidate: Candidate, word: str) -> bool:
        """Show the whole command and ask as its verdict demands: nothing more, `y`, or the shown word."""
        verdict = candidate.verdict
        fragments: list[Fragment] = [("", "\n")]
        fragments += self._numbered(candidate)
        for finding in complaints(candidate):
            fragments += [(finding.level.word, f"  ! {one_line(finding.message)}\n")]
        self.show(fragments)
        if verdict is Verdict.SAFE:
            return True
        if verdict is Verdict.CAUTION:
            return self.ask_key("Press y to run it, any other key to leave: ") == "y"
        return self.ask_line(f'Type "{word}" to run it, or Enter to leave: ').strip() == word

    def _numbered(self, candidate: Candidate) -> list[Fragment]:
        """The command; each line numbered when there are several, so that none hides."""
        fragments = command_fragments(candidate)
        if "\n" not in candidate.action.command:
            return [("", "  "), *fragments, ("", "\n")]
        number, numbered = 1, [("number", "  1 ")]
        for style, text in fragments:
            for i, line in enumerate(text.split("\n")):
                if i:
                    number += 1
                    numbered += [("", "\n"), ("number", f"{number:>3} ")]
                numbered.append((style, line))
        return [*numbered, ("", "\n")]

    def ask_key(self, question: str) -> str:
        """One key from the terminal, typed after the question was shown. Raises KeyboardInterrupt on Ctrl-C."""
        with _open_tty() as descriptor:
            before = termios.tcgetattr(descriptor)
            try:
                tty.setcbreak(descriptor)  # forgets what was typed ahead
                self.show([("", question)])
                key = os.read(descriptor, 1).decode("ascii", "replace")
            finally:
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
                self.say("")
        return key

    def ask_line(self, question: str) -> str:
        """A line from the terminal, typed after the question was shown; "" at end of file."""
        with _open_tty() as descriptor:
            termios.tcflush(descriptor, termios.TCIFLUSH)
            self.show([("", question)])
            data = b""
            while not data.endswith(b"\n"):
                chunk = os.read(descriptor, 4096)
                if not chunk:
                    self.say("")
                    break
                data += chunk
        return data.decode("utf-8", "replace").rstrip("\n")


@contextlib.contextmanager
def _open_tty() -> Iterator[int]:
    descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _tty_input() -> Iterator[tuple[Input, Callable[[], None]]]:
    """The terminal as prompt_toolkit reads it, and a function that forgets what was typed ahead."""
    from prompt_toolkit.input import create_input

    with _readable_terminal() as stream:
        yield create_input(stdin=stream), lambda: termios.tcflush(stream.fileno(), termios.TCIFLUSH)


def _readable_terminal() -> TextIO:
    """The device of stderr, opened anew: stdin may be a pipe and stderr write-only. By its own name where that is
    allowed, because an event loop on macOS cannot wait for /dev/tty.
    """
    try:
        return open(os.ttyname(2), encoding="utf-8")
    except OSError:
        return open("/dev/tty", encoding="utf-8")


def _tty_output():
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)


def _menu(proposal: Proposal, colour: bool, source: Input) -> Application:
    """The chooser as an inline prompt_toolkit application that leaves no trace on the screen."""
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.layout import FormattedTextControl, Layout, Window
    from prompt_toolkit.styles import Style

    state = {"selected": 0, "details": False}
    last = len(proposal.candidates) - 1
    keys = KeyBindings()

    def move(step: int) -> None:
        state["selected"] = min(last, max(0, state["selected"] + step))

    for names, step in ((("up", "k", "c-p"), -1), (("down", "j", "c-n", "tab"), 1)):
        for name in names:
            keys.add(name)(lambda event, step=step: move(step))
    for digit in range(1, min(9, last + 1) + 1):
        keys.add(str(digit))(lambda event, index=digit - 1: event.app.exit(Choice("run", index)))
    keys.add("enter")(lambda event: event.app.exit(Choice("run", state["selected"])))
    keys.add("e")(lambda event: event.app.exit(Choice("edit", state["selected"])))
    keys.add("?")(lambda event: state.update(details=not state["details"]))
    for name in ("q", "escape", "c-d"):
        keys.add(name, eager=True)(lambda event: event.app.exit(Choice("leave")))
    keys.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt()))

    def text() -> list[Fragment]:
        fragments = menu_fragments(proposal, state["selected"], state["details"])
        return [(f"class:gorilla-{style}" if style else "", part) for style, part in fragments]

    window = Window(FormattedTextControl(text, show_cursor=False), wrap_lines=True, dont_extend_height=True)
    application: Application = Application(
        layout=Layout(window),
        key_bindings=keys,
        style=Style.from_dict({f"gorilla-{name}": look for name, (_, look) in _STYLES.items()} if colour else {}),
        input=source,
        output=_tty_output(),
        erase_when_done=True,
        full_screen=False,
    )
    application.ttimeoutlen = 0.05
    application.timeoutlen = 0.05
    return application


class _Bar:
    """A click progress bar that learns its length from the first update."""

    def __init__(self, label: str, live: bool) -> None:
        self._label, self._live = label, live
        self._bar = None
        self._done = 0
        self._tenth = -1

    def update(self, done: int, total: int) -> None:
        if not self._live:
            self._plainly(done, total)
            return
        if self._bar is None:
            import click

            self._bar = click.progressbar(length=max(1, total), label=self._label, file=sys.stderr)
            self._bar.render_progress()
        self._bar.length = max(1, total)
        self._bar.update(done - self._done)
        self._done = done

    def _plainly(self, done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if tenth > self._tenth:
            self._tenth = tenth
            with contextlib.suppress(OSError, ValueError):
                print(f"{self._label}: {10 * tenth} %", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()
