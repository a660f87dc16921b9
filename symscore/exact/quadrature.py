"""Rigorous integrals over the real line: ball quadrature on pieces, proved tails outside."""

from collections.abc import Callable, Sequence

from flint import acb, arb, ctx, fmpq

from symscore.errors import NotCertified
from symscore.exact.balls import ball_of

Integrand = Callable[[acb], acb]

# Subdivisions that one piece may take before the request is refused.
MOST_EVALUATIONS = 200_000


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
    for left, right in zip(knots[:-1], knots[1:], strict=True):
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


def tail_mass(mean: fmpq, variance: fmpq, radius: fmpq) -> arb:
    r"""Return ``P(|X - mean| > radius)`` for a Gaussian X.

    Examples
    --------
    >>> tail_mass(fmpq(0), fmpq(1), fmpq(0))
    1.00000000000000
    """
    return (ball_of(radius) / (2 * ball_of(variance)).sqrt()).erfc()


def tail_square(mean: fmpq, variance: fmpq, radius: fmpq) -> arb:
    r"""Return ``E[(X - mean)^2; |X - mean| > radius]`` for a Gaussian X.

    .. math:: v \left(\operatorname{erfc}\frac{B}{\sqrt{2v}}
        + \frac{2B}{\sqrt{2 \pi v}} e^{-B^2 / 2v}\right)

    by parts.
    """
    v, bound = ball_of(variance), ball_of(radius)
    density = (-bound * bound / (2 * v)).exp() / (2 * arb.pi() * v).sqrt()
    return v * (tail_mass(mean, variance, radius) + 2 * bound * density)


def symmetric(bound: arb) -> arb:
    """Return the ball around zero whose radius is the upper end of `bound`.

    Raises
    ------
    NotCertified
        If the bound is not finite.
    """
    if not bound.is_finite():
        raise NotCertified(f"Expected a finite bound; got {bound}.")
    top = bound.abs_upper()
    return arb(0).union(top).union(-top)
