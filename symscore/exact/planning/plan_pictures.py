"""Plans for readers: tables of text and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symscore.atomic import atomic_path
from symscore.errors import BadOption
from symscore.exact.planning.needed_degree import Need

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = (".png", ".pdf", ".svg")
# The second curve is drawn upon the first, and smaller, so that both are seen where they meet.
STYLES = (("#d62728", "o", "-", 7), ("#1f77b4", "s", "--", 4))

BEYOND = "tried last, not enough"


def text_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return rows of text with their columns aligned on the right.

    Examples
    --------
    >>> print(text_table(("n", "degree"), [("10", "3")]))
     n  degree
    10       3
    """
    rows = [head, *body]
    widths = [max(map(len, entries)) for entries in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(entry.rjust(width) for entry, width in zip(row, widths, strict=True))
        for row in rows
    )


def draw_degrees(
    target: "Axes | str | Path",
    positions: Sequence[float],
    needs: Mapping[str, Sequence[Need]],
    *,
    xlabel: str,
    title: str,
) -> "Axes":
    """Draw a curve of degrees for each name; open triangles are degrees that are not enough.

    Parameters
    ----------
    target : Axes, or path
        Where to draw; at a path, which ends in .png, .pdf or .svg, a picture is written.
    positions : sequence of float
    needs : mapping
        From the name of a curve to one Need a position.

    Raises
    ------
    BadOption
        If the path ends otherwise.
    FileProblem
        If it cannot be written.
    """
    from matplotlib.figure import Figure

    if not isinstance(target, str | Path):
        return _drawn(target, positions, needs, xlabel, title)
    path = Path(target)
    if path.suffix.lower() not in PICTURES:
        raise BadOption(f"Expected a picture that ends in {', '.join(PICTURES)}; got {path}.")
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    ax = _drawn(figure.subplots(), positions, needs, xlabel, title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=200, format=path.suffix[1:].lower())
    return ax


def _drawn(
    ax: "Axes",
    positions: Sequence[float],
    needs: Mapping[str, Sequence[Need]],
    xlabel: str,
    title: str,
) -> "Axes":
    from matplotlib.ticker import MaxNLocator

    for (label, curve), (colour, marker, line, size) in zip(needs.items(), STYLES, strict=True):
        heights = [need.searched if need.degree is None else need.degree for need in curve]
        beyond = [i for i, need in enumerate(curve) if need.degree is None]
        reached = [i for i, need in enumerate(curve) if need.degree is not None]
        style: dict[str, Any] = {
            "color": colour,
            "linewidth": 1,
            "markersize": size,
            "markevery": reached,
        }
        ax.plot(positions, heights, f"{line}{marker}", label=label, **style)
        if beyond:
            places, tops = [positions[i] for i in beyond], [heights[i] for i in beyond]
            ax.plot(places, tops, "^", color=colour, markerfacecolor="white", label=BEYOND)
    ax.set(xlabel=xlabel, ylabel="smallest degree, certified", title=title)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax
