"""Figures out of performance fields: what is stated is read, what is not stated is never guessed."""

from __future__ import annotations

import pytest

from gorilla_cli.sources.figures import MAX_FIGURES, absent, figures
from gorilla_cli.types import Figure


def stated(performance, description=""):
    return [(figure.metric, figure.dataset, figure.value) for figure in figures(performance, description)]


OBJECTS = [
    (
        {"dataset": "Kin", "accuracy": {"top_1": 74.58, "top_5": 91.63}, "Flops (G)": 54.5, "Params (M)": 32.45},
        [("accuracy", "Kin", 74.58), ("top5", "Kin", 91.63), ("flops", "", 54.5e9), ("parameters", "", 32.45e6)],
    ),
    ({"dataset": "ImageNet", "accuracy": 0.93}, [("accuracy", "ImageNet", 93.0)]),
    ({"dataset": "ImageNet", "accuracy": "0.779"}, [("accuracy", "ImageNet", 77.9)]),
    ({"dataset": "ImageNet", "accuracy": "0.5%"}, [("accuracy", "ImageNet", 0.5)]),
    ({"dataset": "N/A", "accuracy": 71}, [("accuracy", "", 71.0)]),
    ([{"dataset": "A", "accuracy": 71.5}, {"dataset": "B", "accuracy": "x"}], [("accuracy", "A", 71.5)]),
    (
        {"dataset": [{"name": "A", "accuracy": 1}, {"name": "B", "accuracy": 50}]},
        [("accuracy", "A", 100.0), ("accuracy", "B", 50.0)],
    ),
    ({"dataset": {"A": {"F1": 90.7, "EM": 88.0}}}, [("F1", "A", 90.7), ("exact_match", "A", 88.0)]),
    ({"dataset": ["A", "B"], "accuracy": [0.5, 0.6]}, [("accuracy", "A", 50.0), ("accuracy", "B", 60.0)]),
    ({"dataset": "I", "accuracy": {"one model": {"Top-1 Acc.": "82.2"}}}, [("accuracy", "I", 82.2)]),
    ({"dataset": "G", "accuracy": {"M1": 82.2, "M2": 88.5}}, [("accuracy", "G M1", 82.2), ("accuracy", "G M2", 88.5)]),
    ({"dataset": "W", "EN_accuracy": 0.775}, [("accuracy", "W EN", 77.5)]),
    ({"dataset": "C", "accuracy": {"mAP@0.5(box)": 0.623}}, [("mAP", "C @0.5(box)", 62.3)]),
    ({"dataset": "C", "accuracy": {"Mean IOU": 66.4}}, [("mIoU", "C", 66.4)]),
    ({"dataset": "L", "accuracy": {"Test WER": 19.06, "Loss": 0.5}}, [("WER", "L", 19.06), ("loss", "L", 0.5)]),
    ({"dataset": "L", "accuracy": {"Loss": 0.4, "Abs Rel": 0.3}}, [("loss", "L", 0.4), ("abs rel", "L", 0.3)]),
    ({"BLEU": {"news.en.fr": 33.8, "news.fr.en": 40.0}}, [("BLEU", "news.en.fr", 33.8), ("BLEU", "news.fr.en", 40.0)]),
    ({"WikiText": {"PPL": 19.93}}, [("perplexity", "WikiText", 19.93)]),
    (
        {"Rmse": 0.43, "Log Rmse": 0.17, "ROUGE-L": 39.4},
        [("RMSE", "", 0.43), ("log rmse", "", 0.17), ("ROUGE-L", "", 39.4)],
    ),
    ({"psnr": "24.5 +/- 3.7", "SI-SNR": "14.3 dB"}, [("psnr", "", 24.5), ("si-snr", "", 14.3)]),
    ({"Size (MB)": 45, "parameters": "25.6M"}, [("size", "", 45e6), ("parameters", "", 25.6e6)]),
    ({"model_size": "1.5 GiB", "num_params": 5480000}, [("size", "", 1.5 * 2**30), ("parameters", "", 5.48e6)]),
    ({"a": {"params": "11M"}, "b": {"params": "25M"}}, [("parameters", "a", 11e6), ("parameters", "b", 25e6)]),
    ({"dataset": "V", "accuracy": {"latency": 12}}, [("latency", "V", 12.0)]),
]


@pytest.mark.parametrize(("performance", "expected"), OBJECTS)
def test_objects(performance, expected):
    assert stated(performance) == expected


def test_an_error_rate_is_no_accuracy_but_a_top_1_error_is_its_complement():
    assert stated({"error rate": 23.4}) == [("error", "", 23.4)]
    assert stated({"dataset": "I", "accuracy": {"top-1_error": 43.45, "Top-5 error": "20.91"}}) == [
        ("error", "I", 43.45),
        ("accuracy", "I", 56.55),
        ("top5 error", "I", 20.91),
        ("top5", "I", 79.09),
    ]


def test_a_top_5_below_the_top_1_shows_that_both_are_errors():
    assert stated({"dataset": "I", "accuracy": {"top-1": 22.38, "top-5": 6.3}})[:2] == [
        ("error", "I", 22.38),
        ("accuracy", "I", 77.62),
    ]


TEXTS = [
    ("82.3%", [("accuracy", "", 82.3)]),
    ("Top-1: 76.1", [("accuracy", "", 76.1)]),
    ("Error rate 23.4", [("error", "", 23.4)]),
    ("8.2M parameters", [("parameters", "", 8.2e6)]),
    ("117M params", [("parameters", "", 117e6)]),
    ("559,214,592 parameters", [("parameters", "", 559214592.0)]),
    ("1.5 billion trainable parameters", [("parameters", "", 1.5e9)]),
    ("45 MB", [("size", "", 45e6)]),
    ("WER 3.4 on LibriSpeech", [("WER", "LibriSpeech", 3.4)]),
    ("Top-1: 80.3%, Top-5: 95.1%", [("accuracy", "", 80.3), ("top5", "", 95.1)]),
    ("Top-1 accuracy of 80.1% and Top-5 accuracy of 95.1%", [("accuracy", "", 80.1), ("top5", "", 95.1)]),
    ("accuracy (top-5): 95.1", [("top5", "", 95.1)]),
    ("86.9% on SNLI, 78.9% on MultiNLI", [("accuracy", "SNLI", 86.9), ("accuracy", "MultiNLI", 78.9)]),
    ("86.7% (SNLI)", [("accuracy", "SNLI", 86.7)]),
    ("mAP@0.5IOU = 0.244", [("mAP", "@0.5", 24.4)]),
    ("70.6 mAP", [("mAP", "", 70.6)]),
    ("82.1% mean intersection-over-union (mIOU)", [("mIoU", "", 82.1)]),
    ("Pearson correlation coefficient of 0.803", [("pearson correlation", "", 0.803)]),
    ("PSNR: 29.8 dB, SSIM: 0.902", [("psnr", "", 29.8), ("ssim", "", 0.902)]),
    ("150 CIDEr", [("cider", "", 150.0)]),
    ("Mean Squared Error (MSE) of 0.30", [("mse", "", 0.3)]),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_texts(text, expected):
    assert stated(text) == expected


NOTHING = [
    *(None, "", "N/A", "None", "Not provided", True, 0.93, {}, [], {"accuracy": True}, {"accuracy": None}),
    *("80-90%", ">=70.0%", "Pearson correlation > 0.8", "~0.5% top1 improvement", "24.0% improvement over SOTA"),
    *("+2.8% CIDEr", "20 dimensions", "See table 11", "state of the art", "23.43 GB of text", "mAP@0.5IOU"),
    *("Top-1 and Top-5: 76.1", "93.1/87.2 F1/EM", "trained in 2019", "128x128 resolution"),
    *({"accuracy": "20 dimensions"}, {"accuracy": 77427422}, {"accuracy": -3}, {"params": 34.57}, {"size": 45}),
    *({"accuracy": float("nan")}, {"accuracy": 10**400}, {"dataset": {"SNLI-test": "91.65"}}, {"SQuAD": "93.1/87.2"}),
    *({"resolution": "224"}, {"image size": "5 MB"}, {"accuracy": "1e999"}),
]


@pytest.mark.parametrize("performance", NOTHING, ids=repr)
def test_what_is_not_stated_is_not_guessed(performance):
    assert figures(performance) == ()


DESCRIPTIONS = [
    ("A T5 model with 220 million parameters.", [("parameters", "", 220e6)]),
    ("The model parameters are about 1.7 billion.", [("parameters", "", 1.7e9)]),
    ("6 layers and 82M parameters (compared to 125M parameters for the teacher)", [("parameters", "", 82e6)]),
    ("A 45 MB model.", [("size", "", 45e6)]),
    ("40% less parameters than another", []),
    ("models ranging from 125M to 175B parameters", []),
    ("the 124 million parameter version; it has 82 million parameters", []),
    ("trained on 40 GB of text with accuracy 93%", []),
]


@pytest.mark.parametrize(("description", "expected"), DESCRIPTIONS)
def test_descriptions_give_parameters_and_sizes_only(description, expected):
    assert stated(None, description) == expected


def test_the_performance_field_goes_before_the_description():
    assert stated({"params": "5M"}, "It has 6M parameters") == [("parameters", "", 5e6)]


def test_there_are_bounds():
    deep = value = {}
    for _ in range(200):
        value["accuracy"] = value = {}
    value["accuracy"] = 5
    assert figures(deep) == ()
    assert len(figures([{"dataset": f"d{n}", "accuracy": 50} for n in range(5000)])) == MAX_FIGURES
    long = figures({"dataset": "d " * 999, "accuracy": 50})
    assert long == (Figure("accuracy", long[0].dataset, 50.0),) and len(long[0].dataset) <= 120


@pytest.mark.parametrize(
    ("value", "expected"), [(None, True), (" n/a ", True), ("unknown", True), ("0", False), (0, False)]
)
def test_absent(value, expected):
    assert absent(value) is expected
