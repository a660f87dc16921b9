r"""Integrals of a flow's density along one column.

Along one column j the density is a smooth function that decays, and the sum over an even grid of
its unconstrained coordinate v,

.. math:: \int q(x) \, dx_j \approx h \sum_i q(x(v_i)) \left| \frac{dx_j}{dv}(v_i) \right|,

converges faster than any power of h: for a Gaussian of standard deviation h its error is 5e-9. The
first grid is finer than the narrowest component of the flow's last field, given all other
coordinates, so that no peak can hide between its nodes; it is then halved until nothing changes.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import logsumexp

from symscore.arrays import FloatArray
from symscore.errors import CoarseIntegral, caller_level
from symscore.flow.charts import Block, Chart

if TYPE_CHECKING:
    from symscore.flow.flow import ScoreFlow

FEWEST_NODES = 129
MOST_NODES = 32769
FIRST_STEP = 0.75  # standard deviations of the narrowest component: an error of 1e-15
REACH = 8.0  # standard deviations of a component that the first grid covers
TOLERANCE = 1e-8  # of the logarithm of an integral
NEGLIGIBLE = -23.0  # log of what an end of the grid may hold of a whole integral: 1e-10
FINER = 16  # cells that draws see in one of the grid


@final
@dataclass(frozen=True, eq=False)
class Line:
    """Log q along a column through one point, on an even grid of the column's coordinate.

    Attributes
    ----------
    point : (D,) array
    chart : Chart
        Of the column alone.
    nodes : (N,) array
        Of the coordinate.
    log_values : (N,) array
        Of q times the slope of the column in its coordinate.
    change : float
        Of the logarithm of the integral when the grid was last halved; infinite if it was not, or
        if its ends hold more than a negligible part.
    """

    point: FloatArray
    chart: Chart
    nodes: FloatArray
    log_values: FloatArray
    change: float = np.inf

    @property
    def log_integral(self) -> float:
        """Log of the integral; -inf off the support."""
        return float(logsumexp(self.log_values) + np.log(self.nodes[1] - self.nodes[0]))

    @property
    def heavy_ends(self) -> FloatArray:
        """Whether the lower and the upper end hold more than a negligible part, (2,)."""
        if np.isneginf(self.log_integral):
            return np.zeros(2, dtype=bool)
        held = self.log_values[[0, -1]] + np.log(np.ptp(self.nodes))
        return held - self.log_integral > NEGLIGIBLE

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent values of the column, shape (n, 1).

        The log density of the coordinate is a cubic spline through the nodes, and the density is
        linear between places sixteen times as dense.
        """
        places = np.linspace(self.nodes[0], self.nodes[-1], FINER * (len(self.nodes) - 1) + 1)
        logs = CubicSpline(self.nodes, self.log_values)(places)
        density = np.exp(logs - logs.max())
        ends = density[:-1] + density[1:]
        cells = rng.choice(len(ends), size=n, p=ends / ends.sum())
        first, last, u = density[cells], density[cells + 1], rng.random(n)
        # The root of first t + (last - first) t^2 / 2 = u (first + last) / 2 without cancellation.
        root = np.sqrt(first**2 + u * (last**2 - first**2))
        share = u * (first + last) / (first + root)
        v = places[cells] + share * (places[1] - places[0])
        return self.chart.from_free(v[:, None])


@final
@dataclass(frozen=True, eq=False)
class Lines:
    """The lines along one column of a flow.

    Attributes
    ----------
    flow : ScoreFlow
    column : int
    chart : Chart
        Of the column alone.
    ends : (2,) array
        Of the first grid, in the column's coordinate.
    step : float
        Its largest step.
    """

    flow: "ScoreFlow"
    column: int
    chart: Chart
    ends: FloatArray
    step: float

    @classmethod
    def along(cls, flow: "ScoreFlow", column: int) -> "Lines | None":
        """Return the lines along a column; None along one of several in a block."""
        found = _place_of(flow.chart, column)
        if found is None:
            return None
        block, coordinate = found
        frame, field = flow.ladder.frame, flow.ladder.fields[-1]
        smoothing = flow.ladder.schedule.kappas[-1] ** -2 * np.eye(frame.dim)
        means = np.concatenate([member.crude.means for member in field.members])
        covariances = np.concatenate([member.crude.covariances for member in field.members])
        covariances = frame.scale_tril @ (covariances + smoothing) @ frame.scale_tril.T
        centres = frame.unwhiten(means)[:, coordinate]
        reach = REACH * np.sqrt(covariances[:, coordinate, coordinate])
        narrowest = np.linalg.inv(covariances)[:, coordinate, coordinate].max() ** -0.5
        ends = np.array([(centres - reach).min(), (centres + reach).max()])
        return cls(flow, column, Chart((block,)), ends, FIRST_STEP * float(narrowest))

    def through(self, point: FloatArray) -> Line:
        """Return log q along the line through a point (D,), settled where that can be had."""
        line = self._widened(self._first(point))
        while len(line.nodes) < MOST_NODES and not line.heavy_ends.any():
            line = self._halved(line)
            if line.change <= TOLERANCE:
                break
        return line

    def _at(self, point: FloatArray, nodes: FloatArray) -> FloatArray:
        rows = np.repeat(point[None], len(nodes), axis=0)
        rows[:, self.column] = self.chart.from_free(nodes[:, None])[:, 0]
        return self.flow.log_density(rows) + self.chart.log_det(nodes[:, None])

    def _first(self, point: FloatArray) -> Line:
        wanted = np.ptp(self.ends) / self.step
        n = int(np.clip(np.ceil(wanted) + 1, FEWEST_NODES, MOST_NODES))
        nodes = np.linspace(self.ends[0], self.ends[1], n)
        return Line(point, self.chart, nodes, self._at(point, nodes))

    def _widened(self, line: Line) -> Line:
        """Lengthen the grid by half, on each side that needs it, until no end is heavy."""
        while line.heavy_ends.any() and len(line.nodes) < MOST_NODES:
            more = np.arange(1, len(line.nodes) // 2 + 1) * (line.nodes[1] - line.nodes[0])
            below, above = line.heavy_ends
            before = line.nodes[0] - more[::-1] if below else np.empty(0)
            after = line.nodes[-1] + more if above else np.empty(0)
            values = [self._at(line.point, before), line.log_values, self._at(line.point, after)]
            nodes = np.concatenate([before, line.nodes, after])
            line = Line(line.point, line.chart, nodes, np.concatenate(values))
        return line

    def _halved(self, line: Line) -> Line:
        middle = (line.nodes[:-1] + line.nodes[1:]) / 2
        nodes, values = np.empty((2, len(line.nodes) + len(middle)))
        nodes[::2], nodes[1::2] = line.nodes, middle
        values[::2], values[1::2] = line.log_values, self._at(line.point, middle)
        finer = Line(line.point, line.chart, nodes, values)
        if nodes[1] - nodes[0] > self.step:
            return finer
        before, after = line.log_integral, finer.log_integral
        return replace(finer, change=0.0 if before == after else abs(after - before))


def warn_if_coarse(name: str, lines: Sequence[Line]) -> None:
    """Warn of integrals along the column `name` that have not settled."""
    coarse = [line for line in lines if not line.change <= TOLERANCE]
    if coarse:
        worst = max(coarse, key=lambda line: line.change)
        warnings.warn(
            f"{len(coarse)} of {len(lines)} integrals along {name!r} have not settled: the "
            f"logarithm of the worst still changes by {worst.change:.1e} at {len(worst.nodes)} "
            "nodes (inf: narrower than their spacing, or longer than they reach).",
            CoarseIntegral,
            stacklevel=caller_level(),
        )


def _place_of(chart: Chart, column: int) -> tuple[Block, int] | None:
    """Return block and coordinate of a column if its block holds that column alone."""
    first = coordinate = 0
    for block in chart.blocks:
        if column < first + len(block.names):
            return (block, coordinate) if len(block.names) == 1 else None
        first, coordinate = first + len(block.names), coordinate + block.n_coordinates
    return None
