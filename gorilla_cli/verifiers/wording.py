"""The words of a request in one spelling: lower case, counts as digits, weeks as days. Pure; judges nothing."""

from __future__ import annotations

import functools
import re

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
ONES += "seventeen eighteen nineteen".split()
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
COUNTS = {**{word: number for number, word in enumerate(ONES)}, **TENS, "dozen": 12, "hundred": 100, "thousand": 1000}
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
PLACES = r"(?:columns?|fields?|words?|rows?|lines?|characters?|letters?)"
_COUNT = re.compile(rf"\b(?:({'|'.join(TENS)})[- ])?({'|'.join(COUNTS)})\b")
_ORDINAL = re.compile(rf"\b({'|'.join(ORDINALS)})(?= {PLACES[:-1]}|\)))")
_ARTICLE = re.compile(r"\b(?:an?|last|past|previous) (dozen|hundred|thousand|week|day|hour|minute|fortnight)\b(?! \d)")
_WEEKS = re.compile(r"\b(\d+) (weeks?|fortnights?)\b")


@functools.lru_cache(maxsize=256)
def plain(text: str) -> str:
    """`text` as the patterns of the data files see it: "the last two weeks" is "the last 14 days".

    Blanks are single, quotes straight; "third column" becomes "3rd column" and "a week" "1 week".
    """
    text = " ".join(text.replace("\u2019", "'").replace("n't", " not").lower().split())
    text = _ARTICLE.sub(_with_article, text)
    text = _COUNT.sub(_digits, text)
    text = _ORDINAL.sub(lambda match: ordinal(ORDINALS.index(match[1]) + 1), text)
    return _WEEKS.sub(_days, text)


def ordinal(number: int) -> str:
    """1 -> "1st", 12 -> "12th"."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _with_article(match: re.Match[str]) -> str:
    lead = "" if match[0].startswith("a") else match[0].split()[0] + " "
    return f"{lead}1 {match[1]}" if match[1] not in COUNTS else f"{lead}{COUNTS[match[1]]}"


def _digits(match: re.Match[str]) -> str:
    return str(TENS.get(match[1] or "", 0) + COUNTS[match[2]])


def _days(match: re.Match[str]) -> str:
    return f"{int(match[1]) * (7 if match[2].startswith('week') else 14)} days"
