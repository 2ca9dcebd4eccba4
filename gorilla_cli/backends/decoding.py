"""Several completions of one evaluated prompt, decoded together as a tree.

While completions agree they are one row of the batch for each reading, and three rows cost less than three
passes, because the weights are read once. Where a prompt has several readings, the mean of their log-probabilities
decides (a product of experts: Hinton, Neural Computation 14 (2002) 1771-1800), or one reading alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gorilla_cli.types import Completion, Sampling

if TYPE_CHECKING:
    import numpy as np

    from gorilla_cli.backends.llama_context import LlamaContext, Sampler

LOOP_BYTES, LONGEST_PERIOD = 100, 24
PATIENCE = 24  # tokens that a completion may run on when the first one has ended


@dataclass
class Draft:
    """A completion while it is being written. `voice`: the reading that decides alone, None for all together."""

    sampler: Sampler
    voice: int | None = None
    data: bytearray = field(default_factory=bytearray)
    count: int = 0
    logprobs: np.ndarray | float = 0.0
    last: int = -1
    finish: str = ""

    def take(self, context: LlamaContext, row: int, logs: np.ndarray, mean: np.ndarray, sampling: Sampling) -> None:
        """Sample the next token and see whether it ends the completion.

        `logs` has the log-probabilities of each reading, shape (readings, n_vocab), `mean` their mean. `row` is a row
        of the last decode that may be overwritten.
        """
        if len(logs) > 1:
            context.set_logits(row, mean if self.voice is None else logs[self.voice])
        self.last = self.sampler.sample(row)
        self.logprobs = self.logprobs + logs[:, self.last]
        self.count += 1
        if context.ends(self.last):
            self.finish = "stop"
            return
        self.data += context.piece(self.last)
        for stop in sampling.stop:
            position = self.data.find(stop.encode())
            if position >= 0:
                del self.data[position:]
                self.finish = "stop"
        if not self.finish and in_a_loop(self.data):
            self.finish = "length"

    def completion(self) -> Completion:
        import numpy as np

        text = self.data.decode("utf-8", "replace")
        logprobs = tuple(float(sum) / max(1, self.count) for sum in np.atleast_1d(self.logprobs))
        return Completion(text, self.count, logprobs, self.finish or "length")


def in_a_loop(data: bytes | bytearray) -> bool:
    """Do the last LOOP_BYTES repeat something short? Small models fall into loops, which cost seconds for nothing."""
    tail = data[-LOOP_BYTES:]
    return len(tail) == LOOP_BYTES and any(tail[p:] == tail[:-p] for p in range(1, LONGEST_PERIOD + 1))


@dataclass(frozen=True)
class _Branch:
    """Drafts that have the same tokens so far, and the sequence that holds them in each reading."""

    sequences: tuple[int, ...]
    drafts: list[Draft]


def decode_together(context: LlamaContext, drafts: list[Draft], lengths: Sequence[int], sampling: Sampling) -> None:
    """Write all drafts after readings of `lengths` tokens, held by the first sequences, logits in the first rows.

    A tree walk: drafts with the same tokens so far share their sequences, and part where they sample differently.
    """
    branches = [_Branch(tuple(range(len(lengths))), drafts)]
    branches = _grow(context, branches, sampling)
    room = context.n_ctx - sum(lengths)  # cells of the cache: each branch takes one a step and reading
    for step in range(sampling.max_tokens - 1):
        if not branches or (drafts[0].finish and step > drafts[0].count + PATIENCE):
            break
        room -= len(branches) * len(lengths)
        if room < 0:
            break
        context.decode(
            [
                (branch.drafts[0].last, length + step, sequence, True)
                for branch in branches
                for sequence, length in zip(branch.sequences, lengths, strict=True)
            ]
        )
        branches = _grow(context, branches, sampling)


def _grow(context: LlamaContext, branches: list[_Branch], sampling: Sampling) -> list[_Branch]:
    """Sample a token for every draft from its branch's rows; the branches that go on, split where tokens differ."""
    grown: list[_Branch] = []
    used = {sequence for branch in branches for sequence in branch.sequences}
    row = 0
    for branch in branches:
        logs = context.logprobs(range(row, row + len(branch.sequences)))
        mean = logs.mean(axis=0) if len(logs) > 1 else logs[0]
        for draft in branch.drafts:
            draft.take(context, row, logs, mean, sampling)
        row += len(branch.sequences)
        for i, part in enumerate(_by_last_token(branch.drafts)):
            grown.append(_Branch(_forked(context, branch.sequences, used) if i else branch.sequences, part))
    return grown


def _forked(context: LlamaContext, sequences: Sequence[int], used: set[int]) -> tuple[int, ...]:
    """Free sequences that hold what `sequences` hold; they count as used from now on."""
    free = sorted(set(range(context.n_seq)) - used)[: len(sequences)]
    used.update(free)
    for source, target in zip(sequences, free, strict=True):
        context.trim(target, 0)
        context.fork(source, target)
    return tuple(free)


def _by_last_token(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """The unfinished drafts, grouped by the token each sampled last."""
    groups: dict[int, list[Draft]] = {}
    for draft in drafts:
        if not draft.finish:
            groups.setdefault(draft.last, []).append(draft)
    return list(groups.values())
