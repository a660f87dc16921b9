"""Charts from what a user declares: bounds and transforms of named columns."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.linalg import toeplitz

from symscore.arrays import FloatArray
from symscore.errors import BadOption, CircleCut, caller_level
from symscore.flow.charts import Block, Chart

TRANSFORMS = ("positive", "simplex", "ordered", "circular")
TURN = (-np.pi, np.pi)
GRID = 360  # places at which a circle may be cut
# Concentration of the kernel that smooths a circle: its sd is about 1 / sqrt(16), 14 degrees.
CONCENTRATION = 16.0
THIN = 0.05  # density at the cut, of that of a uniform angle, above which it is told

Bounds = Mapping[Any, Sequence[float | None]] | Sequence[Sequence[float | None] | None]
Transforms = Mapping[Any, str]


def declared_chart(
    names: Sequence[str],
    bounds: Bounds | None,
    transforms: Transforms | None,
    x: FloatArray,
    weights: FloatArray,
) -> Chart:
    """Return the chart that `bounds` and `transforms` ask for.

    Parameters
    ----------
    names : sequence of D str
    bounds : mapping of column to (lower, upper), or D such pairs, optional
        None or an infinite number leaves that side open.
    transforms : mapping of column to str, optional
        "positive"; "circular", with `bounds` for one turn, (-pi, pi) by default; "ordered" or
        "simplex", of at least two columns side by side. A column is named by its name or position;
        several by a tuple of these, or by ``"theta"`` for ``theta[0], theta[1], ...``.
    x : (n, D) array
        Where circles are thinnest is looked up in these rows.
    weights : (n,) array

    Raises
    ------
    BadOption
        On unknown columns, transforms or bounds, and on columns declared twice.

    Warns
    -----
    CircleCut
        If a circle has no place without data at which to cut it.
    """
    names = tuple(names)
    limits = _limits(names, bounds)
    kinds = _kinds(names, transforms)
    blocks: list[Block] = []
    j = 0
    while j < len(names):
        kind, group = kinds.get(j, (None, (j,)))
        blocks.append(_block(names, kind, group, limits, x, weights))
        j += len(group)
    chart = Chart(tuple(blocks))
    chart.require_support(x)
    return chart


def _limits(names: tuple[str, ...], bounds: Bounds | None) -> dict[int, tuple[float, float]]:
    """Return lower and upper by position of the column."""
    if bounds is None:
        return {}
    if isinstance(bounds, Mapping):
        items = [(j, pair) for key, pair in bounds.items() for j in _positions(names, key)]
    else:
        if not isinstance(bounds, Sequence | np.ndarray) or len(bounds) != len(names):
            raise BadOption(
                f"Expected bounds for the {len(names)} columns {', '.join(names)}, or a mapping "
                f"from column to bounds; got {bounds!r}."
            )
        items = [(j, pair) for j, pair in enumerate(bounds) if pair is not None]
    limits: dict[int, tuple[float, float]] = {}
    for j, pair in items:
        if j in limits:
            raise BadOption(f"Expected one pair of bounds a column; {names[j]!r} has two.")
        limits[j] = _pair(names[j], pair)
    return limits


def _pair(name: str, pair: Any) -> tuple[float, float]:
    try:
        low, high = pair
        lower = -np.inf if low is None else float(low)
        upper = np.inf if high is None else float(high)
    except (TypeError, ValueError) as error:
        raise BadOption(
            f"Expected (lower, upper) for {name!r}, numbers or None; got {pair!r}."
        ) from error
    if not lower < upper:
        raise BadOption(f"Expected lower < upper for {name!r}; got {lower:g}, {upper:g}.")
    return lower, upper


def _kinds(
    names: tuple[str, ...], transforms: Transforms | None
) -> dict[int, tuple[str, tuple[int, ...]]]:
    """Return transform and columns of every group by the position of its first column."""
    if transforms is None:
        return {}
    if not isinstance(transforms, Mapping):
        raise BadOption(f"Expected a mapping from column to transform; got {transforms!r}.")
    found: dict[int, tuple[str, tuple[int, ...]]] = {}
    taken: set[int] = set()
    for key, kind in transforms.items():
        if kind not in TRANSFORMS:
            raise BadOption(
                f"Expected a transform among {', '.join(TRANSFORMS)} for {key!r}; got {kind!r}. "
                "An interval is declared by its bounds."
            )
        positions = _positions(names, key)
        if taken & set(positions):
            raise BadOption(f"Expected one transform a column; {key!r} has another one already.")
        taken |= set(positions)
        if kind not in ("simplex", "ordered"):
            found |= {j: (kind, (j,)) for j in positions}
            continue
        if len(positions) < 2 or list(positions) != list(
            range(positions[0], positions[0] + len(positions))
        ):
            raise BadOption(
                f"Expected two columns or more, side by side, for {kind!r}; got "
                f"{', '.join(names[j] for j in positions)}: put them next to each other."
            )
        found[positions[0]] = (kind, positions)
    return found


def _positions(names: tuple[str, ...], key: Any) -> tuple[int, ...]:
    """Return the positions of the columns that a key names."""
    if isinstance(key, tuple):
        return tuple(j for part in key for j in _positions(names, part))
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        if -len(names) <= key < len(names):
            return (int(key) % len(names),)
    elif key in names:
        return (names.index(key),)
    elements = tuple(j for j, name in enumerate(names) if name.startswith(f"{key}["))
    if not elements:
        raise BadOption(f"Expected a column among {', '.join(names)}; got {key!r}.")
    return elements


def _block(
    names: tuple[str, ...],
    kind: str | None,
    group: tuple[int, ...],
    limits: dict[int, tuple[float, float]],
    x: FloatArray,
    weights: FloatArray,
) -> Block:
    columns, name = tuple(names[j] for j in group), names[group[0]]
    if kind in ("simplex", "ordered"):
        bounded = [names[j] for j in group if j in limits]
        if bounded:
            raise BadOption(f"Expected no bounds of {kind} columns; got some for {bounded[0]!r}.")
        return Block(kind, columns)
    lower, upper = limits.get(group[0], TURN if kind == "circular" else (-np.inf, np.inf))
    if kind == "circular":
        if not np.isfinite(upper - lower):
            raise BadOption(
                f"Expected finite bounds of one turn of {name!r}; got {lower}, {upper}."
            )
        cut = _thinnest(name, lower, upper, x[:, group[0]], weights)
        return Block("circle", columns, lower, upper, cut)
    if kind == "positive":
        if lower > 0:
            raise BadOption(f"Got lower bound {lower:g} of {name!r}: leave out 'positive'.")
        lower = 0.0
    side = (np.isfinite(lower), np.isfinite(upper))
    form = {(0, 0): "free", (1, 0): "lower", (0, 1): "upper", (1, 1): "interval"}[side]
    return Block(form, columns, lower, upper)


def _thinnest(
    name: str, lower: float, upper: float, values: FloatArray, weights: FloatArray
) -> float:
    """Return where to cut a circle: amid the values around the least of their smoothed density."""
    turn = upper - lower
    shares = (values - lower) / turn % 1.0
    counts = np.bincount((GRID * shares).astype(int) % GRID, weights, minlength=GRID)
    kernel = np.exp(CONCENTRATION * (np.cos(2 * np.pi * np.arange(GRID) / GRID) - 1))
    density = toeplitz(kernel) @ counts / (kernel.mean() * counts.sum())  # 1 if uniform
    least = int(np.argmin(density))
    # Rounded angles lie on the grid: a cut among them would send them to the end of the line.
    after = np.sort((shares[weights > 0] - (least + 0.5) / GRID) % 1.0)
    cut = lower + turn * (((least + 0.5) / GRID + (after[0] + after[-1] - 1) / 2) % 1.0)
    if density[least] > THIN:
        warnings.warn(
            f"The circular column {name!r} is cut open at {cut:.4g}, where its density is "
            f"{density[least]:.2f} of that of a uniform angle: the learned density may jump "
            "there. Nothing needs doing unless that place matters.",
            CircleCut,
            stacklevel=caller_level(),
        )
    return float(cut if cut < upper else lower)
