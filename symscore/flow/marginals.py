"""Marginals and conditionals of a flow, as far as they are honest.

A marginal always draws: leave out columns of a draw. Neither has a closed form, but the density
can be summed along one column: :mod:`symscore.flow.lines`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points
from symscore.errors import BadData, BadOption, NoDensity
from symscore.flow.lines import Line, Lines, warn_if_coarse

if TYPE_CHECKING:
    from symscore.flow.flow import ScoreFlow

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
        lines = Lines.along(self.flow, left_out[0]) if len(left_out) == 1 else None
        if lines is None:
            raise NoDensity(
                f"Expected to integrate out one unlinked column; {', '.join(self.names)} leave out "
                f"{', '.join(self.flow.names[j] for j in left_out)}. This marginal draws; for a "
                f"density, {RELEARN}."
            )
        points[:, left_out] = lines.chart.from_free([[0.0]])
        found = [lines.through(point) for point in points]
        warn_if_coarse(self.flow.names[left_out[0]], found)
        return np.array([line.log_integral for line in found])


@final
@dataclass(frozen=True, eq=False)
class Conditional:
    """The distribution of one column of a flow, all others being given.

    Parameters
    ----------
    flow : ScoreFlow
    column : int
        The one left.
    line : Line
        The density along that column through the values of the others.
    """

    flow: "ScoreFlow"
    column: int
    line: Line

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
        lines = Lines.along(flow, left[0]) if len(left) == 1 else None
        if lines is None:
            raise NoDensity(
                "Expected one unlinked column to be left; got "
                f"{', '.join(flow.names[j] for j in left) or 'none'}. In a PyMC model, a row is "
                "filled in given what is known of it: LearnedScore('x', flow, "
                "observed=np.ma.masked_invalid([...])), with NaN for what is not known."
            )
        point = np.array([values.get(name, 0.0) for name in flow.names], dtype=np.float64)
        if not np.all(np.isfinite(point)):
            raise BadData(f"Expected finite values; got {dict(values)}.")
        line = lines.through(point)
        if np.isneginf(line.log_integral):
            raise BadData(f"Expected values of positive density; got {dict(values)}.")
        warn_if_coarse(flow.names[left[0]], [line])
        return cls(flow, left[0], line)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the column left."""
        return (self.flow.names[self.column],)

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return the log density of each of x, (n,) or (n, 1), shape (n,)."""
        points = as_points("x", np.reshape(x, (-1, 1)), 1)
        rows = np.repeat(self.line.point[None], len(points), axis=0)
        rows[:, self.column] = points[:, 0]
        return self.flow.log_density(rows) - self.line.log_integral

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent values, shape (n, 1).

        The log density is interpolated between the nodes of the integral: see `line`.
        """
        return self.line.draw(n, rng=rng)
