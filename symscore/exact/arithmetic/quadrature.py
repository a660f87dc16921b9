"""Rigorous integrals over the real line: ball quadrature on pieces, proved tails outside."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isqrt

from flint import acb, arb, ctx, fmpq

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.rational import RationalMixture

Integrand = Callable[[acb], acb]

# Subdivisions that one piece may take before the request is refused.
MOST_EVALUATIONS = 60_000


def integral(integrand: Integrand, knots: Sequence[fmpq]) -> arb:
    r"""Return a ball around the integral from the first knot to the last.

    .. math:: \int_{a_0}^{a_n} f(x) \, dx = \sum_i \int_{a_{i-1}}^{a_i} f(x) \, dx

    by Arb's adaptive Gauss-Legendre quadrature (Johansson 2018) on every piece.

    Parameters
    ----------
    integrand : callable
        Meromorphic, without branch cuts, so that a ball that it returns for a complex ball is an
        enclosure, or not finite where a pole may lie inside; real on the real line.
    knots : sequence of fmpq
        Increasing.

    Returns
    -------
    arb
        Not finite, or wide, where the quadrature did not converge at flint's present precision.

    Examples
    --------
    >>> integral(lambda z: z * z, [fmpq(0), fmpq(3)])
    [9.0000000000000 +/- ...]
    """
    failures: list[Exception] = []

    def guarded(z: acb, _: bool) -> acb:
        # flint turns an exception inside the callback into a SystemError that hides its cause.
        try:
            return integrand(z)
        except Exception as error:
            failures.append(error)
            return acb("nan")

    total = arb(0)
    for left, right in pairwise(knots):
        piece = acb.integral(
            guarded,
            acb(left),
            acb(right),
            abs_tol=arb(2) ** -ctx.prec,
            eval_limit=MOST_EVALUATIONS,
        )
        if failures:
            raise failures[0]
        total += piece.real
    return total


def weighted_densities(law: RationalMixture) -> Callable[[acb], list[acb]]:
    r"""Return the function ``t -> [w_i N(t; m_i, v_i)]`` of a mixture in one dimension.

    Its constants are balls of the precision at which this function is called.
    """
    constants = [
        (
            ball_of(weight) / (2 * arb.pi() * ball_of(variance)).sqrt(),
            ball_of(mean),
            -1 / (2 * ball_of(variance)),
        )
        for weight, (mean,), ((variance,),) in zip(
            law.weights, law.means, law.covariances, strict=True
        )
    ]

    def densities(t: acb) -> list[acb]:
        values = []
        for factor, mean, rate in constants:
            centred = t - mean
            values.append(factor * (rate * centred * centred).exp())
        return values

    return densities


def support(law: RationalMixture, bits: int) -> tuple[fmpq, fmpq]:
    r"""Return an interval outside of which every component's mass is about ``2^-bits``.

    It reaches :math:`\sqrt{2 \cdot \mathrm{bits} \cdot \log 2}` standard deviations beyond every
    mean, roughly: what lies outside is to be bounded by :func:`tail_mass` and
    :func:`tail_square`, not to be forgotten.
    """
    reach = isqrt(2 * bits) + 1
    ends = []
    for (mean,), ((variance,),) in zip(law.means, law.covariances, strict=True):
        margin = reach * _above_root(variance)
        ends.append((mean - margin, mean + margin))
    return min(low for low, _ in ends), max(high for _, high in ends)


def tail_mass(variance: fmpq, radius: fmpq) -> arb:
    r"""Return ``P(|X| > radius)`` for X ~ N(0, variance).

    Examples
    --------
    >>> tail_mass(fmpq(1), fmpq(0))
    1.00000000000000
    """
    return (ball_of(radius) / (2 * ball_of(variance)).sqrt()).erfc()


def tail_square(variance: fmpq, radius: fmpq) -> arb:
    r"""Return ``E[X^2; |X| > radius]`` for X ~ N(0, variance).

    .. math:: v \operatorname{erfc}\frac{B}{\sqrt{2v}} + 2 v B \frac{e^{-B^2 / 2v}}{\sqrt{2 \pi v}}

    by parts.
    """
    v, bound = ball_of(variance), ball_of(radius)
    density = (-bound * bound / (2 * v)).exp() / (2 * arb.pi() * v).sqrt()
    return v * tail_mass(variance, radius) + 2 * v * bound * density


def _above_root(value: fmpq) -> fmpq:
    """Return a rational a little above the square root."""
    scale = 64
    return fmpq(isqrt(int(value.p) * scale * scale // int(value.q)) + 1, scale)
