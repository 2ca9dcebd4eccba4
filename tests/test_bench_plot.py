"""The picture: what stands where, read back from the figure and the files."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from gorilla_cli.bench.plot import LONGEST, figure, plot
from gorilla_cli.bench.report import Share, read_run, report
from gorilla_cli.errors import GorillaError, StateError
from tests.bench_runs import MANIFEST, TASKS, row, write_run


@pytest.fixture
def run(tmp_path):
    """Builds the report of a run of four tasks; a digit of `first` and `best` is 1 where it was right."""

    def build(first: str, best: str, seconds: float, name: str = "run", **changes):
        right = {task.id: [a == "1", b == "1"] for task, a, b in zip(TASKS, first, best, strict=False)}
        samples = [row(id, seconds=seconds) for id in right]
        folder = write_run(tmp_path / name, samples, right, replace(MANIFEST, **changes))
        return report(read_run(folder), TASKS, [])

    return build


def places(drawn) -> list[tuple[float, float, bool]]:
    """x, y and whether it is hollow, of every mark."""
    lines = [line for line in drawn.axes[0].lines if line.get_marker() not in ("None", "_", "|")]
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_markerfacecolor() == "white")
        for line in lines
    ]


def labels(drawn) -> list[str]:
    return [text.get_text() for text in drawn.legends[0].get_texts()]


def test_marks_stand_at_median_seconds_and_accuracy(run):
    drawn = figure([run("1000", "1100", 4.0, "a"), run("1100", "1100", 1.5, "b", model="big")])
    assert places(drawn) == [(4.0, 25.0, False), (4.0, 50.0, True), (1.5, 50.0, False)]
    assert labels(drawn) == [
        "gorilla small: dev 25 %, best of 3 50 %, 4 s (n = 4)",
        "gorilla big: dev 50 %, 1.5 s (n = 4)",
    ]


def test_the_bar_is_the_wilson_interval(run):
    drawn = figure([run("1000", "1000", 4.0)])
    segment = drawn.axes[0].collections[0].get_segments()[0]
    assert [100 * bound for bound in Share(1, 4).interval] == pytest.approx([segment[0][1], segment[1][1]])


@pytest.mark.parametrize(("seconds", "scale"), [((1.0, 7.0), "linear"), ((0.5, 20.0), "log"), ((0.0, 20.0), "linear")])
def test_the_axis_of_seconds_shows_all_runs(run, seconds, scale):
    drawn = figure([run("1000", "1000", one, f"run{i}") for i, one in enumerate(seconds)])
    axes = drawn.axes[0]
    low, high = axes.get_xlim()
    assert axes.get_xscale() == scale
    assert low <= min(seconds)
    assert max(seconds) < high


def test_runs_with_the_same_name_are_told_apart_by_folder(run):
    drawn = figure([run("1000", "1000", 1.0, "old"), run("1000", "1000", 2.0, "new")])
    assert [label.partition(":")[0] for label in labels(drawn)] == ["gorilla small (old)", "gorilla small (new)"]


def test_legible_whatever_a_run_is_called(run):
    """No two texts overlap and none leaves the picture, with many runs and names that are too long or look like TeX."""
    reports = [run("1010", "1110", 2.0 + i, f"run{i}", model=f"$x_{i}$ {'long' * 40}\x1b&<") for i in range(10)]
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from gorilla_cli.bench.plot import STYLE

    with matplotlib.rc_context(STYLE):
        drawn = figure(reports)
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in drawn.legends[0].get_texts()]
    width, height = canvas.get_width_height()
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(len(label.partition(": dev")[0]) <= LONGEST and "\x1b" not in label for label in labels(drawn))


@pytest.mark.parametrize("name", ["picture", "picture.png", "deep/er/picture.svg", "v1.5"])
def test_png_and_svg_are_written(run, tmp_path, name):
    png, svg = plot([run("1000", "1100", 4.0)], tmp_path / name)
    stem = name.removesuffix(".png").removesuffix(".svg")
    assert (png, svg) == (tmp_path / f"{stem}.png", tmp_path / f"{stem}.svg")
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert ">gorilla small: dev 25 %, best of 3 50 %, 4 s (n = 4)<" in svg.read_text(encoding="utf-8")


def test_a_name_is_no_formula(run, tmp_path):
    svg = plot([run("1000", "1100", 4.0, model="$x_1$ <&")], tmp_path / "picture")[1]
    assert ">gorilla $x_1$ &lt;&amp;: dev 25 %" in svg.read_text(encoding="utf-8")


def test_the_same_run_gives_the_same_svg(run, tmp_path):
    found = run("1000", "1100", 4.0)
    assert plot([found], tmp_path / "a")[1].read_bytes() == plot([found], tmp_path / "b")[1].read_bytes()


def test_a_place_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot write"):
        plot([run("1000", "1100", 4.0)], tmp_path / "file" / "picture")


def test_without_matplotlib_it_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(GorillaError, match="matplotlib is not installed") as caught:
        plot([run("1000", "1100", 4.0)], tmp_path / "picture")
    assert caught.value.hint == "pip install 'gorilla-cli-local[bench]'"
