"""Which degree a score needs: certified answers, noise level by noise level."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from symscore.errors import BadOption
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import MOST_COMPONENTS, write_mixture, write_rational
from symscore.exact.certificate import Certificate
from symscore.exact.distances.cells import Slabs
from symscore.exact.distances.piecewise import best_piecewise_error
from symscore.exact.distances.projection_error import projection_error
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import ExactLike
from symscore.exact.planning.needed_degree import root
from symscore.exact.planning.needs import (
    SHOWN,
    Needs,
    Progress,
    error_asked_for,
    find_needs,
    positive,
    watched,
)
from symscore.exact.planning.plan_cells import separating_slabs
from symscore.exact.planning.plan_pictures import draw_degrees, text_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# alpha = (1 - u^2) / (1 + u^2) for u = 0, 1/16, 1/8, 1/4, 1/2, 3/4.
ALPHAS = tuple(
    (1 - u * u) / (1 + u * u) for u in map(Fraction, ("0", "1/16", "1/8", "1/4", "1/2", "3/4"))
)


@final
@dataclass(frozen=True, slots=True)
class PlanRow:
    """What one noise level needs.

    Parameters
    ----------
    alpha : Fraction
        The level; the noise has variance ``1 - alpha^2``.
    needs : Needs
        The degrees, and the errors that they reach.
    """

    alpha: Fraction
    needs: Needs

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise, rounded."""
        variance = 1 - self.alpha**2
        return float(root(Enclosure(variance, variance)).lower)


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """The degrees that polynomials need to come near a mixture's scores; :func:`plan` makes it.

    Parameters
    ----------
    mixture : RationalMixture
        At ``alpha = 1``.
    rms : Fraction
        The root mean square error to be reached.
    rows : tuple of PlanRow
        One a noise level.
    """

    mixture: RationalMixture
    rms: Fraction
    rows: tuple[PlanRow, ...]

    def table(self) -> str:
        """Return the plan as text: per level the degrees, and the errors that they reach."""
        body = [(str(row.alpha), f"{row.sigma:.3f}", *row.needs.shown()) for row in self.rows]
        return text_table(("alpha", "sigma", *SHOWN), body)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON has it, rationals as strings."""
        return {
            "format": "symscore plan 1",
            "statement": STATEMENT,
            "excludes": list(EXCLUDES),
            "mixture": write_mixture(self.mixture),
            "rms": write_rational(self.rms),
            "levels": [
                {"alpha": write_rational(row.alpha), **row.needs.to_json()} for row in self.rows
            ],
        }

    def plot(self, target: "Axes | str | Path") -> "Axes":
        """Draw degrees against the noise into axes, or into a new picture at a path."""
        return draw_degrees(
            target,
            [row.sigma for row in self.rows],
            {
                "one polynomial": [row.needs.one for row in self.rows],
                "one on each cell": [row.needs.pieces for row in self.rows],
            },
            xlabel=r"standard deviation $\sigma$ of the noise",
            title=f"score error {float(self.rms):g} (rms)",
        )

    def certificates(self, *, digits: int = 12) -> Iterator[Certificate]:
        """Yield, level by level, certificates of the squared errors that the plan compares.

        They are of the kinds ``projection-error`` and ``best-piecewise-error``, about polynomials
        in all variables, of the degree in the plan and of the one below.

        Raises
        ------
        ResourceLimit, NotCertified
            Where :func:`projection_error` or :func:`best_piecewise_error` do: they have fewer
            degrees within their reach than the plan, which works in the variables that matter.
        """
        for row in self.rows:
            noisy, needs = self.mixture.at(row.alpha), row.needs
            for degree in needs.one.compared:
                yield projection_error(noisy, degree, digits)
            if needs.slabs is not None:
                for degree in needs.pieces.compared:
                    yield best_piecewise_error(noisy, needs.slabs, degree, digits=digits)


STATEMENT = (
    "degree is the smallest D with min_q E_M |grad log p - q|^2 <= rms^2 over the fields q that "
    "are polynomials of degree at most D, on all of space or on each cell, M the mixture at alpha "
    "and p its density; degree null: no D up to `searched` is enough"
)
EXCLUDES = (
    "It says nothing of how much data, or how large coefficients, such polynomials need.",
    "Other cells may do with another degree.",
    "It is an average over the mixture at each level, not a bound for a sampler's law.",
)


def plan(
    mixture: ExactMixture | RationalMixture,
    rms: ExactLike,
    *,
    alphas: Iterable[ExactLike] = ALPHAS,
    cells: int | None = None,
    most_degree: int | None = None,
    progress: Progress | None = None,
) -> Plan:
    r"""Find the smallest degrees that are certified to come near a mixture's scores.

    For each level alpha, with M the law of :math:`\alpha x + (1 - \alpha^2)^{1/2} z`,

    .. math:: D = \min \{ D : \min_{\deg q \le D} E_M |s - q|^2 \le \mathrm{rms}^2 \},

    once for polynomial fields q on all of space and once for fields that are polynomials on each
    of several slabs. That D is enough and that D - 1 is not are both proved, by enclosures.

    Parameters
    ----------
    mixture : ExactMixture
        Every parameter rational.
    rms : exact scalar
        The error to be reached, such as ``"0.03"``.
    alphas : sequence of exact scalars
        Noise levels in (0, 1]; 1 is the mixture itself. Unless given, 1, 255/257, 63/65, 15/17,
        3/5 and 7/25: standard deviations 0, 32/257, 16/65, 8/17, 4/5 and 24/25 of the noise, at
        first doubling.
    cells : int, optional
        The most slabs, 1 to 64; as many as there are components unless given. A level has fewer
        where components overlap (:func:`symscore.exact.planning.plan_cells.separating_slabs`).
    most_degree : int, optional
        The highest degree that is tried. Unless given, 128 where one variable tells the components
        apart, 16 where it takes two and 7 for three: seconds a level where none is enough.
    progress : callable, optional
        Called with a stage, the levels done and the number of levels.

    Returns
    -------
    Plan

    Raises
    ------
    BadData, BadOption
        If the mixture is not rational, or an option is outside its domain.
    UnsupportedInstance
        If there is no method for the Fisher information.
    ResourceLimit, NotCertified
        If an enclosure is out of reach, or an error agrees with `rms` to many digits.

    Examples
    --------
    >>> found = plan(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]), "0.03", alphas=[1, "3/5"])
    >>> print(found.table())
    alpha  sigma  information  degree      rms  cells  degree there  rms there
        1  0.000     0.550400       9  0.02354      2             3    0.01102
      3/5  0.800     0.738486       3  0.01770      1             3    0.01770
    """
    law, bound = RationalMixture.of(mixture), error_asked_for(rms)
    levels = tuple(_level(alpha) for alpha in alphas)
    if not levels:
        raise BadOption("Expected at least one level in alphas; got none.")
    most = law.n_components if cells is None else _count(cells)

    def choose(seen: RationalMixture) -> Slabs | None:
        return separating_slabs(seen, most)

    rows = []
    for alpha in watched(levels, "noise levels", progress):
        rows.append(PlanRow(alpha, find_needs(law.at(alpha), bound, choose, most_degree)))
    return Plan(law, bound, tuple(rows))


def _level(value: ExactLike) -> Fraction:
    alpha = positive(value, "alpha")
    if alpha > 1:
        raise BadOption(f"Expected levels alpha in (0, 1]; got {alpha}.")
    return alpha


def _count(cells: int) -> int:
    if isinstance(cells, bool) or not isinstance(cells, int) or not 1 <= cells <= MOST_COMPONENTS:
        raise BadOption(f"Expected cells, an integer from 1 to {MOST_COMPONENTS}; got {cells!r}.")
    return cells
