"""What a key or a word of a performance table measures: "Top-1 Acc." is accuracy. Pure; never guesses a metric."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# Internal names for errors whose complement is exact; `measured` turns them into figures.
TOP1_ERROR, TOP5_ERROR = "top-1 error", "top-5 error"
MAX_KEY = 100  # characters of a key that can name a metric
COUNTS = {"parameters", "size", "flops"}
SHARES = {"accuracy", "top5", "mAP", "mIoU", "WER", "F1", "BLEU", "exact_match", "error", TOP1_ERROR, TOP5_ERROR}
SHARES |= {"ROUGE-1", "ROUGE-2", "ROUGE-L", "top5 error"}
SHARE_WORDS = re.compile(r"\b(?:precision|recall|r@\d+|p@\d+|hits@\d+|pass@\d+|cer|der|iou|ap)\b")
MORE_THAN_ALL = {"WER"}  # insertions take a word error rate above 100
ACCURACY = r"(?:[- ]*acc(?:uracy|\.)?(?![a-z]))?"
ERROR = r"[- ]*(?:test |val )?err(?:or)?(?:[- ]rate)?s?(?![a-z])"
METRICS = tuple(
    (name, re.compile(rf"(?i:(?<![a-z0-9]){pattern})"))
    for name, pattern in (
        (TOP5_ERROR, rf"top[- ]?5{ERROR}"),
        (TOP1_ERROR, rf"top[- ]?1{ERROR}"),
        ("WER", r"(?:wer|word error rate)(?![a-z])"),
        ("error", r"err(?:or)?(?:[- ]rate)?s?(?![a-z])"),
        ("RMSE", r"(?:rmse|root[- ]mean[- ]squared?[- ]error)(?![a-z])"),
        ("top5", rf"top[- ]?5(?!\d){ACCURACY}"),
        ("accuracy", rf"top[- ]?1(?!\d){ACCURACY}"),
        ("accuracy", r"acc(?:uracy|\.)?(?![a-z])"),
        ("mAP", r"(?:mean average precision|(?-i:mAP)|map(?![a-z]))"),
        ("mIoU", r"m(?:ean)?[- ]?(?:iou|intersection[- ]over[- ]union)(?![a-z])"),
        ("F1", r"f1(?:[- ]?(?:score|measure))?(?![a-z0-9])"),
        ("BLEU", r"(?:sacre)?bleu(?![a-z])"),
        ("ROUGE-1", r"ro(?:ug|gu)e[- ]?1(?!\d)"),
        ("ROUGE-2", r"ro(?:ug|gu)e[- ]?2(?!\d)"),
        ("ROUGE-L", r"ro(?:ug|gu)e[- ]?l(?:sum)?(?![a-z])"),
        ("exact_match", r"(?:exact(?: match)?|em)(?![a-z])"),
        ("perplexity", r"(?:perplexity|ppl)(?![a-z])"),
        ("parameters", r"(?:number of |num(?:ber)? |n |# ?)?param(?:eter)?s?(?: count)?(?![a-z])"),
        ("size", r"(?:(?:model|file|download|disk|weights) )?size(?: on disk)?(?![a-z])"),
        ("flops", r"[gmt]?flops?(?![a-z])"),
    )
)
# Metrics that keep the words they are given in: those to look for before METRICS, and those after.
FIRST = re.compile(
    r"(?i:(?<![a-z0-9])(?:(?:\w+ )?(?:squared|absolute|percentage) (?:log )?error|log rmse|rmsle"
    r"|(?:character|diari[sz]ation) error rate|(?:ndcg|mrr|map|r|p|recall|precision|hits|pass)@ ?\d+(?![\d.])"
    r"|top[- ]?\d{2,})(?![a-z0-9]))"
)
OTHER = re.compile(
    r"(?i:(?<![a-z0-9])(?:(?:(?:pearson|spearman)(?:'?s)?(?: rank)? )?correlation|pearson|spearman|loss|mae|mse|r2|psnr"
    r"|ssim|psim|r?fid|inception score|cider|spice|meteor|pesq|stoi|mos|(?:si[- ])?s[din]r|sir|sar|der|cer|mcc|anls"
    r"|(?:roc )?auc|auroc|ndcg|mrr|precision|recall|chr-?f|bpb|bpc|covl|iou|ap|fps|latency|throughput)(?![a-z0-9]))"
)
NOT_A_MODEL_SIZE = re.compile(
    r"(?i:\b(?:image|input|batch|vocab\w*|hidden|kernel|patch|window|train\w*|data\w*|test)\b)"
)
SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12}
SCALES |= {"thousand": 1e3, "million": 1e6, "millions": 1e6, "mn": 1e6, "billion": 1e9, "billions": 1e9, "bn": 1e9}
BYTES = {"bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
UNITS = "|".join(sorted({*SCALES, *BYTES, "%"} - {""}, key=len, reverse=True))
UNIT = re.compile(rf"(?i)[(\[]\s*(?:in )?({UNITS})\s*[)\]]|\s(?:in )?(millions?|billions?|bytes|[kmg]i?b)$|(%)$")
NOISE = re.compile(r"(?i)(?<![\w-])(?:test|eval|overall|score|value|val acc|%|\(\s*%\s*\)|\(\s*\)|\[\s*\])(?![\w-])")


@dataclass(frozen=True, slots=True)
class Named:
    """A metric, the other words of its key ("mesh" of "mesh-f1"), and its unit in lower case."""

    metric: str
    rest: str = ""
    unit: str = ""


def named(key: str) -> Named | None:
    """What the value under `key` measures; None when the key says nothing known."""
    words = " ".join(key[:MAX_KEY].replace("_", " ").split())
    found = UNIT.search(words)
    unit = next(filter(None, found.groups())).lower() if found else ""
    bare = " ".join(UNIT.sub(" ", words).split())
    if FIRST.search(bare):
        return Named(bare.lower(), "", unit)
    for metric, pattern in METRICS:
        match = pattern.search(bare)
        if match and not (metric == "size" and NOT_A_MODEL_SIZE.search(bare)):
            scale = match[0][0].lower() if metric == "flops" and match[0][0] not in "fF" else unit
            return Named(metric, tidy(bare[: match.start()] + " " + _threshold(metric, bare[match.end() :])), scale)
    return Named(bare.lower(), "", unit) if OTHER.search(bare) else None


def _threshold(metric: str, rest: str) -> str:
    """ "mAP50" is "mAP@50"."""
    return f"@{rest}" if metric == "mAP" and rest[:1].isdigit() else rest


def tidy(rest: str) -> str:
    """The words of a key beside its metric, without those that tell nothing."""
    return " ".join(NOISE.sub(" ", rest).strip(" -:/%").split())


def is_share(metric: str) -> bool:
    return metric in SHARES or SHARE_WORDS.search(metric) is not None


def share(metric: str, number: float, percent: bool) -> float | None:
    """`number` in percent: 0.93 is 93; None where it cannot be a share."""
    scaled = number if percent or number > 1 else number * 100
    if scaled < 0 or (scaled > 100 and metric not in MORE_THAN_ALL):
        return None
    return round(scaled, 6)


def counted(metric: str, number: float, unit: str) -> float | None:
    """`number` of `unit` ("m", "million", "mb") as a plain count or bytes.

    None without a unit, unless it is a whole number so large that it can only be the plain count.
    """
    unit = unit.lower()
    if metric == "size":
        return None if unit not in BYTES else float(round(number * BYTES[unit]))
    if unit not in SCALES or number <= 0:
        return None
    least = 1e6 if metric == "flops" else 1e3
    if not unit and (number < least or number != math.floor(number)):
        return None
    return float(round(number * SCALES[unit]))
