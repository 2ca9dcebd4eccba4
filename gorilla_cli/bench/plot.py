"""Accuracy against waiting time, one mark per run, as PNG and SVG. Needs matplotlib (extra `bench`) and no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli.bench.report import Report, best_of, run_label
from gorilla_cli.errors import GorillaError, StateError
from gorilla_cli.sanitise import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by everybody; shapes tell them apart in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = "osD^vP*X"
SIZE = (7.2, 4.2)  # inches
LINE = 0.24  # inches for each line below the axes
DOTS = 160  # per inch
LONGEST = 52  # characters of a run's name
WIDE = 8.0  # the axis of seconds is logarithmic when the slowest run takes so many times the quickest
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "gorilla", "font.size": 10, "text.parse_math": False}


def plot(reports: Sequence[Report], out: Path) -> tuple[Path, Path]:
    """Write `out`.png and `out`.svg; their paths. Raises GorillaError without matplotlib, StateError on a bad path."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_svg import FigureCanvasSVG
    except ImportError:
        raise GorillaError("matplotlib is not installed", "pip install 'gorilla-cli-local[bench]'") from None
    stem = out.with_suffix("") if out.suffix in (".png", ".svg") else out
    png, svg = (stem.with_name(stem.name + ending) for ending in (".png", ".svg"))
    with matplotlib.rc_context(STYLE):
        drawn = figure(reports)
        try:
            stem.parent.mkdir(parents=True, exist_ok=True)
            FigureCanvasAgg(drawn).print_png(str(png))
            FigureCanvasSVG(drawn).print_svg(str(svg), metadata={"Date": None})  # the same bytes every time
        except OSError as error:
            raise StateError(f"cannot write {error.filename or png}: {error.strerror}", "give another --out") from None
    return png, svg


def figure(reports: Sequence[Report]) -> Figure:
    """The drawing, without a canvas."""
    from matplotlib.figure import Figure

    below = LINE * (len(reports) + 2)
    drawn = Figure(figsize=(SIZE[0], SIZE[1] + below), dpi=DOTS, layout="constrained")
    axes = drawn.add_subplot()
    for number, found in enumerate(reports):
        _mark(axes, found, _name(found, reports), COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)])
    _scales(axes, [found.median_seconds for found in reports])
    axes.set_ylabel("tasks solved, %")
    axes.set_title("Right when executed, and the wait for it", loc="left")
    axes.grid(alpha=0.3)
    drawn.legend(
        loc="outside lower left",
        frameon=False,
        title="filled: candidate 1, with its 95 % Wilson interval; hollow: any of the candidates",
        alignment="left",
    )
    return drawn


def _mark(axes: Axes, found: Report, name: str, colour: str, shape: str) -> None:
    """One run: the first candidate with its bar; where another one adds to it, the best of n above it."""
    x, first, best = found.median_seconds, found.every.first, found.every.best
    y, top = 100 * first.value, 100 * best.value
    low, high = (100 * bound for bound in first.interval)
    mark = {"marker": shape, "markersize": 8, "clip_on": False, "color": colour}
    bars = [[max(0.0, y - low)], [max(0.0, high - y)]]
    label = f"{name}: {_figures(found)}"
    axes.errorbar([x], [y], yerr=bars, linestyle="", capsize=4, elinewidth=1.4, label=label, **mark)
    if best.count != first.count:
        axes.plot([x], [top], linestyle="", markerfacecolor="white", zorder=3, **mark)


def _name(found: Report, reports: Sequence[Report]) -> str:
    """What the legend calls a run: system and model, the folder too when another run has the same, not too long."""
    name = run_label(found.manifest)
    if sum(run_label(other.manifest) == name for other in reports) > 1:
        name = f"{name} ({one_line(Path(found.name).name)})"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _figures(found: Report) -> str:
    first, best = found.every.first, found.every.best
    more = f", {best_of(found)} {100 * best.value:.0f} %" if best.count != first.count else ""
    return f"{found.manifest.split} {100 * first.value:.0f} %{more}, {found.median_seconds:.2g} s (n = {first.n})"


def _scales(axes: Axes, seconds: Sequence[float]) -> None:
    axes.set_ylim(0, 100)
    least, most = min(seconds), max(seconds)
    if least > 0 and most / least >= WIDE:
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

        axes.set_xscale("log")
        axes.set_xlim(least / 1.6, most * 1.6)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.15 * most or 1)
    axes.set_xlabel("seconds a request, median, model loaded")
