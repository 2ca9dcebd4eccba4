"""A backend that answers from a file instead of a model: for tests, demonstrations and screen recordings.

The file is TOML: `[[answer]]` tables with `match`, a text that the last turn of the prompt must contain, and
`completions`, what the model is to have written. The last table that matches counts. Used with
`--model scripted:FILE`, so nobody gets it by accident, and the proposal names it as its model.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path

from gorilla_cli.errors import ModelMissing, UsageError
from gorilla_cli.types import Completion, Generation, ModelInfo, Prompt, Sampling, Usage, Weighing

PREFIX = "scripted:"
UNLIKELY = -20.0


class ScriptedBackend:
    """Answers from `file`. Raises ModelMissing when it is not there, UsageError when it is no such script."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._answers: list[dict] | None = None
        self._sha256 = ""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(f"{PREFIX}{self._file}", self._sha256, "scripted")

    def load(self) -> None:
        """Read the file, once."""
        if self._answers is not None:
            return
        try:
            data = self._file.read_bytes()
            self._answers = _answers(tomllib.loads(data.decode("utf-8")))
        except OSError:
            raise ModelMissing(f"there is no script {self._file}", "give the path of a TOML file") from None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{self._file} is no script of answers: {error}") from None
        self._sha256 = hashlib.sha256(data).hexdigest()

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """The scripted completions for the prompt's last turn, at most `sampling.n`; an empty one without a match."""
        texts = self._texts(prompt.rest)[: sampling.n] or [""]
        completions = tuple(Completion(text, len(text.split()), -0.1, "stop") for text in texts)
        words = len(prompt.prefix.split()), len(prompt.rest.split())
        return Generation(completions, Usage(sum(words), words[0], sum(c.tokens for c in completions)))

    def weigh(self, prompt: Prompt, options: Sequence[str]) -> Weighing:
        """The earlier an option stands among the scripted completions, the likelier; others are not."""
        rows = []
        for reading in (prompt.rest, *prompt.others):
            texts = self._texts(reading)
            rows.append(tuple(-float(texts.index(option)) if option in texts else UNLIKELY for option in options))
        words = len(prompt.prefix.split()), len(prompt.rest.split())
        return Weighing(tuple(rows), Usage(sum(words), words[0], 0))

    def _texts(self, rest: str) -> list[str]:
        """The completions of the last answer that matches."""
        self.load()
        matching = [answer for answer in self._answers or [] if answer["match"] in rest]
        return matching[-1]["completions"] if matching else []


def _answers(data: dict) -> list[dict]:
    """The answers in a script. Raises ValueError when something is missing or of another type."""
    answers = data.get("answer")
    if not isinstance(answers, list):
        raise ValueError("it has no [[answer]]")
    for number, answer in enumerate(answers, 1):
        texts = answer.get("completions") if isinstance(answer, dict) else None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in [answer.get("match"), *texts]):
            raise ValueError(f"answer {number} needs a text `match` and a list of texts `completions`")
    return answers
