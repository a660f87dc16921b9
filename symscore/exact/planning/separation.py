"""How the degree that a score needs rises and falls as two components move apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from flint import fmpq

from symscore.errors import BadOption
from symscore.exact.arithmetic.balls import as_fmpq
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import write_rational
from symscore.exact.distances.cells import Slabs
from symscore.exact.numbers import ExactLike
from symscore.exact.planning.needs import (
    SHOWN,
    Needs,
    Progress,
    error_asked_for,
    find_needs,
    positive,
    watched,
)
from symscore.exact.planning.plan_pictures import draw_degrees, text_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEPARATIONS = tuple(Fraction(n, 2) for n in range(1, 17))


@final
@dataclass(frozen=True, slots=True)
class SeparationRow:
    """What two components at plus and minus ``mu`` need."""

    mu: Fraction
    needs: Needs


@final
@dataclass(frozen=True, slots=True)
class SeparationPlan:
    """Degrees against the separation; :func:`separation_plan` makes it.

    Parameters
    ----------
    rms : Fraction
        The root mean square error to be reached.
    rows : tuple of SeparationRow
        By increasing separation.
    """

    rms: Fraction
    rows: tuple[SeparationRow, ...]

    def table(self) -> str:
        """Return the plan as text."""
        body = [(str(row.mu), *row.needs.shown()) for row in self.rows]
        return text_table(("mu", *SHOWN), body)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON has it, rationals as strings."""
        return {
            "format": "symscore separation plan 1",
            "rms": write_rational(self.rms),
            "separations": [
                {"mu": write_rational(row.mu), **row.needs.to_json()} for row in self.rows
            ],
        }

    def plot(self, target: "Axes | str | Path") -> "Axes":
        """Draw degrees against the separation into axes, or into a new picture at a path."""
        return draw_degrees(
            target,
            [float(row.mu) for row in self.rows],
            {
                "one polynomial": [row.needs.one for row in self.rows],
                "one on each half-line": [row.needs.pieces for row in self.rows],
            },
            xlabel=r"$\mu$, half the distance of the means",
            title=(
                r"$\frac{1}{2} N(-\mu, 1) + \frac{1}{2} N(\mu, 1)$, "
                f"score error {float(self.rms):g} (rms)"
            ),
        )


def separation_plan(
    separations: Iterable[ExactLike] = SEPARATIONS,
    rms: ExactLike = "0.03",
    *,
    most_degree: int | None = None,
    progress: Progress | None = None,
) -> SeparationPlan:
    r"""Find the degrees that two unit Gaussians need, with one cell and with two half-lines.

    .. math:: D(\mu) = \min \{ D : \min_{\deg q \le D} E|s - q|^2 \le \mathrm{rms}^2 \}
        \quad \text{for} \quad \tfrac12 N(-\mu, 1) + \tfrac12 N(\mu, 1)

    As in :func:`symscore.exact.plan`, every D is proved to be the smallest. One polynomial has its
    worst near mu = 3: nearer components look like one, and between components further apart
    hardly any mass sees the jump of the score. Two half-lines remove the bump.

    Parameters
    ----------
    separations : sequence of exact scalars
        Values of mu, positive; 1/2, 1, ..., 8 unless given.
    rms : exact scalar
    most_degree : int, optional
        The highest degree that is tried; 128 unless given.
    progress : callable, optional
        Called with a stage, the separations done and their number.

    Returns
    -------
    SeparationPlan

    Raises
    ------
    BadData, BadOption
        If a number is no positive rational.
    NotCertified
        If an error agrees with `rms` to many digits.

    Examples
    --------
    >>> print(separation_plan([1, 4], "0.03").table())
    mu  information  degree      rms  cells  degree there  rms there
     1     0.550400       9  0.02354      2             3    0.01102
     4      0.99843      39  0.02831      2             1    0.02132
    """
    bound = error_asked_for(rms)
    values = sorted({positive(mu, "separations") for mu in separations})
    if not values:
        raise BadOption("Expected at least one separation; got none.")
    halves = Slabs((fmpq(1),), (fmpq(0),))
    return SeparationPlan(
        bound,
        tuple(
            SeparationRow(mu, find_needs(_pair(mu), bound, lambda law: halves, most_degree))
            for mu in watched(values, "separations", progress)
        ),
    )


def _pair(mu: Fraction) -> RationalMixture:
    one, half, mean = fmpq(1), fmpq(1, 2), as_fmpq(mu)
    return RationalMixture((half, half), ((-mean,), (mean,)), (((one,),), ((one,),)))
