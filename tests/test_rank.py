"""The order of candidates: by evidence, then by agreement, then as they came."""

from __future__ import annotations

import pytest

from gorilla_cli.rank import VOTE, ranked
from gorilla_cli.types import Candidate, Cite, Finding, Level, ShellCommand


def candidate(name, *findings, votes=1, logprob=-0.2):
    return Candidate(ShellCommand(name), findings, votes=votes, mean_logprob=logprob)


def finding(check, level=Level.CAUTION):
    return Finding(check, level, "why")


def order(*candidates):
    return [each.action.command for each in ranked(candidates)]


@pytest.mark.parametrize("check", ["syntax", "program", "option", "characters", "value", "placeholder"])
def test_a_complaint_outweighs_being_first(check):
    assert order(candidate("first", finding(check)), candidate("second")) == ["second", "first"]


@pytest.mark.parametrize(
    ("worse", "better"), [("syntax", "program"), ("program", "option"), ("syntax", "option"), ("characters", "option")]
)
def test_complaints_differ_in_weight(worse, better):
    assert order(candidate("worse", finding(worse)), candidate("better", finding(better))) == ["better", "worse"]


def test_complaints_add_up():
    twice, once = candidate("twice", *[finding("option")] * 2), candidate("once", finding("option"))
    assert order(candidate("clean"), twice, once) == ["clean", "once", "twice"]


def test_what_is_only_worth_knowing_costs_nothing():
    assert order(candidate("first", finding("option", Level.INFO)), candidate("second")) == ["first", "second"]


def test_evidence_is_no_complaint():
    proof = Finding("option", Level.INFO, "", cite=Cite("-a", "man:ls(1)", "-a, --all"))
    assert order(candidate("first", proof), candidate("second")) == ["first", "second"]


def test_a_dangerous_command_is_not_outranked_by_a_wrong_one():
    dangerous = candidate("rm -r x", finding("policy", Level.DANGEROUS))
    assert order(candidate("wrong", finding("option")), dangerous) == ["rm -r x", "wrong"]


def test_danger_breaks_a_tie():
    dangerous, safe = candidate("dangerous", finding("policy", Level.DANGEROUS)), candidate("safe")
    assert order(candidate("greedy"), dangerous, safe) == ["greedy", "safe", "dangerous"]


def test_votes():
    assert order(candidate("first"), candidate("once"), candidate("twice", votes=2)) == ["twice", "first", "once"]
    assert [round(each.score, 6) for each in ranked([candidate("once"), candidate("twice", votes=2)])] == [
        round(-0.2 + VOTE, 6),
        -0.2,
    ]


@pytest.mark.parametrize("check", ["entity", "invented"])
def test_what_the_request_says_and_the_command_does_not_counts_without_a_warning(check):
    assert order(candidate("first", finding(check, Level.INFO)), candidate("second")) == ["second", "first"]


def test_the_more_probable_goes_first():
    unlikely, likely = candidate("unlikely", logprob=-1.5), candidate("likely", logprob=-0.1)
    assert order(candidate("greedy"), unlikely, likely) == ["likely", "greedy", "unlikely"]


def test_equal_candidates_keep_their_order():
    names = list("abcdefgh")
    assert order(*map(candidate, names)) == names


def test_the_rest_of_a_candidate_is_untouched():
    before = candidate("ls", finding("policy"), votes=3)
    (after,) = ranked([before])
    assert (after.action, after.findings, after.votes, after.mean_logprob) == (
        before.action,
        before.findings,
        before.votes,
        before.mean_logprob,
    )


def test_nothing_is_ranked_to_nothing():
    assert ranked([]) == ()
