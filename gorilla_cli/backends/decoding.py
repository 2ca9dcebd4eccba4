"""Several completions of one evaluated prompt, decoded together as a tree.

While completions of the same reading of the prompt agree they are one row of the batch, and three rows cost less than
three passes, because the weights are read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gorilla_cli.types import Completion, Sampling

if TYPE_CHECKING:
    from gorilla_cli.backends.llama_context import LlamaContext, Sampler

LOOP_BYTES, LONGEST_PERIOD = 100, 24
PATIENCE = 8  # tokens that the others may run on when every greedy completion has ended


@dataclass
class Draft:
    """A completion while it is being written."""

    sampler: Sampler
    data: bytearray = field(default_factory=bytearray)
    count: int = 0
    logprob: float = 0.0
    last: int = -1
    finish: str = ""

    def take(self, context: LlamaContext, row: int, sampling: Sampling) -> None:
        """Sample the next token from `row` and see whether it ends the completion."""
        self.last = self.sampler.sample(row)
        self.logprob += context.logprob(row, self.last)
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
        text = self.data.decode("utf-8", "replace")
        return Completion(text, self.count, self.logprob / max(1, self.count), self.finish or "length")


def in_a_loop(data: bytes | bytearray) -> bool:
    """Do the last LOOP_BYTES repeat something short? Small models fall into loops, which cost seconds for nothing."""
    tail = data[-LOOP_BYTES:]
    return len(tail) == LOOP_BYTES and any(tail[p:] == tail[:-p] for p in range(1, LONGEST_PERIOD + 1))


@dataclass(frozen=True)
class _Branch:
    """Drafts that have the same tokens so far, and the sequence that holds them."""

    sequence: int
    drafts: list[Draft]


def decode_together(context: LlamaContext, drafts: list[Draft], readings: Sequence[int], sampling: Sampling) -> None:
    """Write all drafts after `readings`: sequences that hold the prompt's readings, the logits of each in its row.

    Draft i goes on from reading i modulo their number. A tree walk: drafts with the same tokens so far share their
    sequence, and part where they sample differently. What the sequences hold in the end stays there.
    """
    n, greedy = len(readings), drafts[: len(readings)]
    branches = [_Branch(sequence, drafts[i::n]) for i, sequence in enumerate(readings) if drafts[i::n]]
    branches = _grow(context, branches, sampling)
    room = context.n_ctx - sum(len(context.held[sequence]) for sequence in readings)  # each branch takes a cell a step
    for step in range(sampling.max_tokens - 1):
        if not branches or (all(one.finish for one in greedy) and step > max(one.count for one in greedy) + PATIENCE):
            break
        room -= len(branches)
        if room < 0:
            break
        ends = [(branch.drafts[0].last, len(context.held[branch.sequence]), branch.sequence) for branch in branches]
        context.decode([(token, position, sequence, True) for token, position, sequence in ends])
        branches = _grow(context, branches, sampling)


def _grow(context: LlamaContext, branches: list[_Branch], sampling: Sampling) -> list[_Branch]:
    """Sample a token for every draft from its branch's row; the branches that go on, split where tokens differ."""
    grown: list[_Branch] = []
    for row, branch in enumerate(branches):
        for draft in branch.drafts:
            draft.take(context, row, sampling)
        for i, part in enumerate(_by_last_token(branch.drafts)):
            sequence = branch.sequence
            if i:
                sequence = next(free for free, held in enumerate(context.held) if not held)
                context.fork(branch.sequence, sequence)
            grown.append(_Branch(sequence, part))
    return grown


def _by_last_token(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """The unfinished drafts, grouped by the token each sampled last."""
    groups: dict[int, list[Draft]] = {}
    for draft in drafts:
        if not draft.finish:
            groups.setdefault(draft.last, []).append(draft)
    return list(groups.values())
