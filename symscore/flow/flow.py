"""The probability flow of a ladder: a bijection with draws, a density and its gradient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, for_each_block
from symscore.errors import BadOption, InversionFailed, NoDensity
from symscore.flow.charts import IDENTITY, Chart
from symscore.flow.kernels import (
    density_rows,
    invert_rows,
    path_rows,
    pull_rows,
    push_log_det_rows,
    push_rows,
)
from symscore.flow.marginals import Conditional, Marginal
from symscore.flow.modes import MIN_DEPTH, Modes, find_modes
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.ladder import ScoreLadder
from symscore.learn.packed import Packed, pack
from symscore.mixture import LOG_2PI

# Inverting costs about a microsecond per step, cell and row: smaller blocks than for one field.
ROWS = 64
NO_FLOW = (
    "Expected soft cells; got hard ones, which draw but have no density: use `.soften()` of the "
    "fitted estimator, which returns its twin with soft cells."
)


@final
@dataclass(frozen=True, eq=False)
class ScoreFlow:
    r"""The push-forward of N(0, I) by explicit two-stage steps from noise to data.

    Every step is a diffeomorphism (docs/method.md), so the density

    .. math:: \log q(x) = \log N(z; 0, I) - \log \left| \det \frac{dx}{dz} \right|,
              \qquad x = \mathrm{flow}(z)

    integrates to one whatever the number of steps. Bounded columns are the image of unconstrained
    coordinates under a last bijection, the chart; x then has D columns, z still d.

    Parameters
    ----------
    ladder : ScoreLadder
        The learned fields; each must satisfy the conditions checked by
        :func:`symscore.flow.check.make_bijective`.
    chart : Chart, optional
        From the ladder's coordinates to the columns; the identity by default.

    Raises
    ------
    NoDensity
        For a ladder with hard cells.
    BadOption
        If the chart has other coordinates than the ladder.
    """

    ladder: ScoreLadder
    chart: Chart = IDENTITY

    def __post_init__(self) -> None:
        _refuse_hard_cells(self.ladder)
        if not self.chart.blocks:
            object.__setattr__(self, "chart", Chart.free(self.ladder.names))
        if self.chart.free_names != self.ladder.names:
            raise BadOption(
                f"Expected a chart of the coordinates {', '.join(self.ladder.names)}; got one of "
                f"{', '.join(self.chart.free_names)}."
            )

    @property
    def dim(self) -> int:
        """Number of columns D of x."""
        return len(self.names)

    @property
    def latent_dim(self) -> int:
        """Number of coordinates d of z; less than D for columns that sum to one."""
        return self.ladder.dim

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the D columns."""
        return self.chart.names

    @cached_property
    def packed(self) -> Packed:
        """All numbers of the flow, as the kernels take them."""
        packed = pack(self.ladder.fields, self.ladder.schedule, self.ladder.frame)
        return self.chart.attached(packed)

    @property
    def unbounded(self) -> "ScoreFlow":
        """The flow of the chart's coordinates; itself if these are the columns."""
        return self if self.chart.is_free else ScoreFlow(self.ladder)

    def from_latent(self, z: ArrayLike) -> FloatArray:
        """Map z (n, d) to x (n, D): explicit, two field evaluations a step."""
        points = as_points("z", z, self.latent_dim)
        x = np.empty((len(points), self.dim))
        self._run(push_rows, points, x)
        return x

    def latent_log_density(self, z: ArrayLike) -> FloatArray:
        """Return log q (n,) at the image of z (n, d), without inverting; NaN where a step folds."""
        points = as_points("z", z, self.latent_dim)
        log_det = np.empty(len(points))
        self._run(push_log_det_rows, points, log_det)
        return -0.5 * (points**2).sum(axis=1) - 0.5 * self.latent_dim * LOG_2PI - log_det

    def latent_path(self, z: ArrayLike) -> FloatArray:
        """Return the states y_0 ... y_N of z (n, d) in the whitened frame, (n_steps + 1, n, d).

        At node i they are distributed as ``kappa_i x_0 + noise``; dividing by
        ``sqrt(1 + kappa_i**2)`` gives x_t.
        """
        points = as_points("z", z, self.latent_dim)
        path = np.empty((len(points), self.ladder.schedule.kappas.size, self.latent_dim))
        path_rows(*self.packed, points, path)
        return path.swapaxes(0, 1)

    def latent_pullback(self, z: ArrayLike, cotangent: ArrayLike) -> FloatArray:
        """Return (dx/dz)^T cotangent (n, D) at z (n, d), shape (n, d): one reverse sweep."""
        points = as_points("z", z, self.latent_dim)
        bars = as_points("cotangent", cotangent, self.dim)
        out = np.empty_like(points)
        self._run(pull_rows, points, bars, out)
        return out

    def to_latent(self, x: ArrayLike) -> FloatArray:
        """Map x (n, D) to z (n, d), by inverting step after step with Newton's method.

        Raises
        ------
        BadData
            If a row lies outside the support.
        InversionFailed
            Where the residual of a step cannot be brought down to rounding; names a row.
        """
        points = as_points("x", x, self.dim)
        self.chart.require_support(points)
        z, log_det = np.empty((len(points), self.latent_dim)), np.empty(len(points))
        self._run(invert_rows, points, z, log_det)
        _require_inverted(points, log_det)
        return z

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return log q(x), shape (n,), for x of shape (n, D); natural log, in the data's units.

        Outside the support of bounded columns it is -inf.

        Raises
        ------
        InversionFailed
            As :meth:`to_latent`.
        """
        return self._density(x, with_score=False)[0]

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the gradient of :meth:`log_density` at x, shape (n, D); 0 outside the support.

        It is the exact derivative of the value that :meth:`log_density` returns, not the learned
        score at the smallest noise level. Along the sum of a simplex, in which the density knows no
        direction, it is the derivative of the density of x divided by its sum.
        """
        return self._density(x, with_score=True)[1]

    def log_density_and_score(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return log q (n,) and its gradient (n, D) from one inversion."""
        return self._density(x, with_score=True)

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, D): the image of N(0, I)."""
        return self.from_latent(rng.standard_normal((n, self.latent_dim)))

    def marginal(self, names: str | Sequence[str]) -> Marginal:
        """Return the distribution of some columns, in the order of `names`.

        It always draws. It has a density where that can be had to rounding: for all columns, and
        where one coordinate is integrated out.

        Raises
        ------
        BadOption
            On unknown or repeated names.
        """
        return Marginal.of(self, names)

    def condition(self, values: Mapping[str, float]) -> Conditional:
        """Return the distribution of the one column that is left when all others are given.

        Parameters
        ----------
        values : mapping of column name to value

        Raises
        ------
        BadOption
            On unknown names.
        NoDensity
            If more than one column is left, with what to do instead.
        BadData
            If the density at all points with these values is too small to be computed.
        """
        return Conditional.of(self, values)

    def modes(
        self,
        n: int = 4000,
        *,
        rng: np.random.Generator,
        min_depth: float = MIN_DEPTH,
        confidence: float = 0.95,
    ) -> Modes:
        """Return the modes of the density, the masses of their basins and intervals of these.

        Local maxima are found from n draws and refined by Newton's method; each draw is then
        counted to the basin in which gradient ascent in whitened coordinates takes it. A mode
        whose basin holds fewer than about a dozen of the draws may be missed. For bounded columns
        the modes are those in the coordinates of the chart, since a density may have none in x.

        Parameters
        ----------
        n : int
            Draws, at least 50.
        rng : numpy.random.Generator
        min_depth : float
            Two local maxima count as one mode if log q need not fall by more than this below the
            lower one on the way to the higher one. The default, log 2, says that between two
            modes the density is less than half that at the lower; two equal Gaussians reach it
            about 3.3 standard deviations apart. Chance alone makes dips: along a ring and two
            half moons learned from 5000 rows they were up to .6 deep, from 1000 rows up to 1.9.
            With few rows, trust the deep modes: the table gives every depth.
        confidence : float
            Of the intervals, which cover the chance of the n draws, not that of the data from
            which the flow was learned.

        Raises
        ------
        BadOption
            For fewer than 50 draws, a negative `min_depth`, or a confidence outside (0, 1).
        InversionFailed
            Where steps fold at so many draws that fewer than 50 have a density.
        """
        return find_modes(self, n, rng=rng, min_depth=min_depth, confidence=confidence)

    def _run(self, kernel: Callable[..., None], *blocks: FloatArray) -> None:
        """Run a kernel on rows of these arrays, blocks of rows side by side."""
        flow, n = self.packed, len(blocks[0])
        for_each_block(lambda rows: kernel(*flow, *(b[rows] for b in blocks)), n, ROWS)

    def _density(self, x: ArrayLike, *, with_score: bool) -> tuple[FloatArray, FloatArray]:
        points = as_points("x", x, self.dim)
        values = np.empty(len(points))
        scores = np.empty((len(points) if with_score else 0, self.dim))
        self._run(density_rows, points, values, scores)
        _require_inverted(points, values)
        return values, scores


def _require_inverted(points: FloatArray, figure: FloatArray) -> None:
    failed = np.flatnonzero(np.isnan(figure))
    if failed.size:
        raise InversionFailed(
            f"Expected to invert the flow at every row; {failed.size} of {len(points)} failed, the "
            f"first being row {failed[0]}, x = {points[failed[0]]}. Either it lies "
            "very far from the data, or a step folds there, which the fit-time check missed."
        )


def require_flow(value: object) -> None:
    """Raise unless `value` is a ScoreFlow, saying where to find one.

    Raises
    ------
    NoDensity
        For a ladder with hard cells.
    BadOption
        For anything else.
    """
    _refuse_hard_cells(value)
    if not isinstance(value, ScoreFlow):
        raise BadOption(
            f"Expected a ScoreFlow; got {type(value).__name__}. A fitted estimator holds its flow "
            "as `flow_`: ScoreDensity().fit(draws).flow_."
        )


def _refuse_hard_cells(value: object) -> None:
    if isinstance(value, HardLadder):
        raise NoDensity(NO_FLOW)
