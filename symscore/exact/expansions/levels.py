r"""Projections of a mixture's score at every noise level from one table.

Under ``x = alpha x_0 + sigma z`` with ``alpha^2 + sigma^2 = 1`` and z standard normal, Mehler's
identity ``E_z He_k(alpha x_0 + sigma z) = alpha^|k| He_k(x_0)`` makes the Hermite moments of the
noisy law those of x_0 times a power of alpha, so the normal equations of all levels are
polynomials in alpha.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from flint import fmpq
from sympy import Symbol

from symscore.errors import BadOption
from symscore.exact.arithmetic.moments import Exponent, gaussian_moments
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.hermite import pairings
from symscore.exact.expansions.normal_equations import check_degree, of_fields
from symscore.exact.expansions.parameters import ParameterRing
from symscore.exact.expansions.projection import (
    ScoreProjection,
    projection_in_ring,
    rational_projection,
)
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import ExactLike, as_exact


@final
@dataclass(frozen=True, slots=True)
class ScoreLevels:
    r"""The degree-D projections of the scores of ``mixture.at(alpha)``, for every alpha.

    Parameters
    ----------
    dim, degree : int
    hermite : mapping
        From index k to ``eta_k = E_M[He_k(x_0)]``, for ``|k| <= 2 D``.

    Examples
    --------
    >>> levels = project_score_all_levels(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]), 3)
    >>> levels.at(1).captured_energy, levels.at("1/2").captured_energy
    (7/13, 169/211)
    >>> levels.symbolic(Symbol("a")).captured_energy
    (2*a**6 + 9*a**2 + 3)/(2*a**6 + 9*a**4 + 12*a**2 + 3)
    """

    dim: int
    degree: int
    hermite: Mapping[Exponent, fmpq]

    def at(self, alpha: ExactLike) -> ScoreProjection:
        """Return the projection at a rational alpha; ``project_score(mixture.at(alpha), D)``.

        Raises
        ------
        BadOption
            If alpha is not a rational in (0, 1].
        ResourceLimit
            If the equations are too large.
        """
        level = as_exact(alpha, "alpha")
        if not level.is_Rational or not 0 < level <= 1:
            raise BadOption(f"Expected a rational alpha in (0, 1]; got {alpha!r}.")
        table = self.moments(fmpq(int(level.p), int(level.q)))
        return rational_projection(of_fields(table, self.dim, self.degree), self.degree)

    def symbolic(self, alpha: Symbol) -> ScoreProjection:
        """Return the projection as quotients of polynomials in the symbol alpha.

        Their degree grows with the square of the number of monomials: degree 9 in one variable
        and 4 in two take less than a second.

        Raises
        ------
        ResourceLimit
            If it would take more than about ten seconds.
        """
        ring = ParameterRing.of([alpha])
        table = self.moments(ring.element(alpha))
        equations = of_fields(table, self.dim, self.degree)
        return projection_in_ring(equations, ring, self.degree)

    def moments(self, alpha: Any) -> dict[Exponent, Any]:
        r"""Return the moments of the noisy law, for alpha in any ring over the rationals.

        .. math:: E[x^a] = \sum_{r \le a/2} \frac{a!}{2^{|r|} r! (a - 2r)!}
            \alpha^{|a| - 2|r|} \eta_{a - 2r}
        """
        powers = [alpha**n for n in range(2 * self.degree + 1)]
        damped = {k: value * powers[sum(k)] for k, value in self.hermite.items()}
        zero = 0 * alpha
        return {
            a: sum((count * damped[rest] for rest, _, count in pairings(a)), zero)
            for a in self.hermite
        }


def project_score_all_levels(mixture: ExactMixture, degree: int) -> ScoreLevels:
    r"""Return the projections of a mixture's score at every noise level.

    The normal equations at level alpha need ``E_M[He_k(x_0)]`` alone,

    .. math:: E[He_k He_l] = \sum_{r \le \min(k, l)} \prod_j \binom{k_j}{r_j} \binom{l_j}{r_j} r_j!
        \; \alpha^{|k + l - 2r|} \eta_{k + l - 2r}, \qquad
        E[s_j He_k] = -k_j \alpha^{|k| - 1} \eta_{k - e_j},

    here written in monomials, which span the same space.

    Parameters
    ----------
    mixture : ExactMixture
        With rational parameters. With symbols, project the score of ``mixture.at(alpha)``.
    degree : int

    Returns
    -------
    ScoreLevels

    Raises
    ------
    BadData
        If a parameter is not rational.
    BadOption
        If the degree is negative.
    ResourceLimit
        If there are more than 1000 monomials.
    """
    law = RationalMixture.of(mixture)
    check_degree(law.dim, degree)
    total: dict[Exponent, fmpq] = {}
    for weight, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
        # Hermite moments are the moments of a Gaussian with the covariance less the identity.
        shifted = tuple(
            tuple(entry - (i == j) for j, entry in enumerate(row))
            for i, row in enumerate(covariance)
        )
        for k, value in gaussian_moments(mean, shifted, 2 * degree).items():
            total[k] = total.get(k, fmpq(0)) + weight * value
    return ScoreLevels(law.dim, degree, total)
