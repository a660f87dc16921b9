r"""Marginals and conditionals of a flow, as far as they are honest.

A marginal always draws: leave out columns of a draw. Neither has a closed form, but along one
column j the density is a smooth function that decays, and the sum over an even grid of its
unconstrained coordinate v,

.. math:: \int q(x) \, dx_j \approx h \sum_i q(x(v_i)) \left| \frac{dx_j}{dv}(v_i) \right|,

converges faster than any power of h; it is refined until halving h changes nothing any more.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from symscore.arrays import FloatArray, as_points
from symscore.errors import BadData, BadOption, CoarseIntegral, NoDensity
from symscore.flow.charts import Block, Chart

if TYPE_CHECKING:
    from symscore.flow.flow import ScoreFlow

FIRST_NODES = 257
MOST_NODES = 4097
PROBES = 2000  # draws that say where a column lives
TOLERANCE = 1e-8  # of the logarithm of an integral
NEGLIGIBLE = -23.0  # log of what an end of the grid may hold of a whole integral: 1e-10
WIDENINGS = 6
RELEARN = "learn one from draws: ScoreDensity().fit(flow.draw(5000, rng=rng)[:, columns]).flow_"


@final
@dataclass(frozen=True, eq=False)
class Marginal:
    """The distribution of some columns of a flow, whatever the others.

    Parameters
    ----------
    flow : ScoreFlow
    columns : tuple of int
        Those kept, in order.
    """

    flow: "ScoreFlow"
    columns: tuple[int, ...]

    @classmethod
    def of(cls, flow: "ScoreFlow", names: str | Sequence[str]) -> "Marginal":
        """Return the marginal of named columns."""
        wanted = (names,) if isinstance(names, str) else tuple(names)
        unknown = [name for name in wanted if name not in flow.names]
        if unknown or not wanted or len(set(wanted)) < len(wanted):
            raise BadOption(
                f"Expected distinct columns among {', '.join(flow.names)}; got "
                f"{', '.join(map(repr, wanted)) or 'none'}."
            )
        return cls(flow, tuple(flow.names.index(name) for name in wanted))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns kept."""
        return tuple(self.flow.names[j] for j in self.columns)

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, number of columns kept)."""
        return self.flow.draw(n, rng=rng)[:, self.columns]

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return the log density of each row of x, shape (n,).

        Raises
        ------
        NoDensity
            If more than one column is left out, or one of an ordered or simplex block.

        Warns
        -----
        CoarseIntegral
            If an integral has not settled to 1e-8.
        """
        kept = as_points("x", x, len(self.columns))
        left_out = [j for j in range(self.flow.dim) if j not in self.columns]
        points = np.empty((len(kept), self.flow.dim))
        points[:, self.columns] = kept
        if not left_out:
            return self.flow.log_density(points)
        if len(left_out) > 1 or _block_of(self.flow.chart, left_out[0]) is None:
            raise NoDensity(
                f"Expected to integrate out one unlinked column; {', '.join(self.names)} leave out "
                f"{', '.join(self.flow.names[j] for j in left_out)}. This marginal draws; for a "
                f"density, {RELEARN}."
            )
        return _Line.through(self.flow, points, left_out[0]).log_integral


@final
@dataclass(frozen=True, eq=False)
class Conditional:
    """The distribution of one column of a flow, all others being given.

    Parameters
    ----------
    flow : ScoreFlow
    column : int
        The one left.
    given : (D,) array
        The values of the others; that of `column` is without meaning.
    """

    flow: "ScoreFlow"
    column: int
    line: "_Line"

    @classmethod
    def of(cls, flow: "ScoreFlow", values: Mapping[str, float]) -> "Conditional":
        """Return the conditional distribution given named values."""
        unknown = [name for name in values if name not in flow.names]
        if unknown or not values:
            raise BadOption(
                f"Expected values of columns among {', '.join(flow.names)}; got "
                f"{', '.join(map(repr, values)) or 'none'}."
            )
        left = [j for j, name in enumerate(flow.names) if name not in values]
        if len(left) != 1 or _block_of(flow.chart, left[0]) is None:
            raise NoDensity(
                "Expected one unlinked column to be left; got "
                f"{', '.join(flow.names[j] for j in left) or 'none'}. In a PyMC model, a row is "
                "filled in given what is known of it: LearnedScore('x', flow, "
                "observed=np.ma.masked_invalid([...])), with NaN for what is not known."
            )
        point = np.array([[values.get(name, np.nan) for name in flow.names]], dtype=np.float64)
        if not np.all(np.isfinite(np.delete(point, left[0]))):
            raise BadData(f"Expected finite values; got {dict(values)}.")
        line = _Line.through(flow, point, left[0])
        if not np.isfinite(line.log_integral[0]):
            raise BadData(f"Expected values of positive density; got {dict(values)}.")
        return cls(flow, left[0], line)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the column left."""
        return (self.flow.names[self.column],)

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return the log density of each of x, (n,) or (n, 1), shape (n,)."""
        points = as_points("x", np.reshape(x, (-1, 1)), 1)
        rows = np.repeat(self.line.points, len(points), axis=0)
        rows[:, self.column] = points[:, 0]
        return self.flow.log_density(rows) - self.line.log_integral

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent values, shape (n, 1).

        Between the nodes of the grid, which the integral asked for, the density of the
        unconstrained coordinate is taken as linear.
        """
        density = np.exp(self.line.log_values[0] - self.line.log_values.max())
        ends = density[:-1] + density[1:]
        cells = rng.choice(len(ends), size=n, p=ends / ends.sum())
        first, last, u = density[cells], density[cells + 1], rng.random(n)
        # The root of first t + (last - first) t^2 / 2 = u (first + last) / 2 without cancellation.
        root = np.sqrt(first**2 + u * (last**2 - first**2))
        share = u * (first + last) / (first + root)
        v = self.line.nodes[cells] + share * (self.line.nodes[1] - self.line.nodes[0])
        return self.line.chart.from_free(v[:, None])


@final
@dataclass(frozen=True, eq=False)
class _Line:
    """Log q along a column through every one of n points, on a grid of its coordinate.

    Attributes
    ----------
    points : (n, D) array
    chart : Chart
        Of the column alone.
    nodes : (N,) array
        Of the coordinate.
    log_values : (n, N) array
        Of q times the slope of the column in its coordinate.
    """

    points: FloatArray
    chart: Chart
    nodes: FloatArray
    log_values: FloatArray

    @classmethod
    def through(cls, flow: "ScoreFlow", points: FloatArray, column: int) -> "_Line":
        """Refine and widen the grid until the integrals of all points have settled."""
        block = _block_of(flow.chart, column)
        assert block is not None
        chart = Chart((block,))
        own = flow.draw(PROBES, rng=np.random.default_rng(0))[:, [column]]
        v = chart.to_free(own)[:, 0]
        margin = 0.25 * np.ptp(v)
        ends = np.array([v.min() - margin, v.max() + margin])

        def at(nodes: FloatArray) -> FloatArray:
            rows = np.repeat(points, len(nodes), axis=0)
            rows[:, column] = np.tile(chart.from_free(nodes[:, None])[:, 0], len(points))
            values = flow.log_density(rows).reshape(len(points), -1)
            return values + chart.log_det(nodes[:, None])

        line = cls(points, chart, *_grid(at, ends, FIRST_NODES))
        for _ in range(WIDENINGS):
            held = line.log_values[:, [0, -1]].max(axis=0) + np.log(np.ptp(line.nodes))
            heavy = held - line.log_integral.max() > NEGLIGIBLE
            if not heavy.any():
                break
            ends = ends + np.where(heavy, np.ptp(ends) * np.array([-0.5, 0.5]), 0.0)
            line = cls(points, chart, *_grid(at, ends, FIRST_NODES))
        return line._refined(at)

    def _refined(self, at: Callable[[FloatArray], FloatArray]) -> "_Line":
        line = self
        while len(line.nodes) < MOST_NODES:
            middle = (line.nodes[:-1] + line.nodes[1:]) / 2
            order = np.argsort(np.append(line.nodes, middle))
            values = np.concatenate([line.log_values, at(middle)], axis=1)[:, order]
            finer = _Line(line.points, line.chart, np.append(line.nodes, middle)[order], values)
            with np.errstate(invalid="ignore"):
                change = np.abs(finer.log_integral - line.log_integral)
            line = finer
            if np.all((change <= TOLERANCE) | np.isneginf(line.log_integral)):
                return line
        warnings.warn(
            f"Integrals along {self.chart.names[0]!r} still change by {np.nanmax(change):.1e} in "
            f"the logarithm at {MOST_NODES} nodes.",
            CoarseIntegral,
            stacklevel=4,
        )
        return line

    @property
    def log_integral(self) -> FloatArray:
        """Log of the integrals, (n,)."""
        return logsumexp(self.log_values, axis=1) + np.log(self.nodes[1] - self.nodes[0])


def _grid(
    at: Callable[[FloatArray], FloatArray], ends: FloatArray, n: int
) -> tuple[FloatArray, FloatArray]:
    nodes = np.linspace(ends[0], ends[1], n)
    return nodes, at(nodes)


def _block_of(chart: Chart, column: int) -> Block | None:
    """Return the block of a column if it holds that column alone."""
    for block in chart.blocks:
        if column < len(block.names):
            return block if len(block.names) == 1 else None
        column -= len(block.names)
    return None
