"""Certified means of functions of one normal variable, and the loss of two components."""

from collections.abc import Callable
from fractions import Fraction

from flint import acb, arb, fmpq

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import ball_of, within
from symscore.exact.arithmetic.quadrature import integral, tail_mass, tail_square

REACH = 14  # standard deviations; beyond lies 1e-44
PIECES = 7


def line_mean(integrand: Callable[[acb], acb], p: Fraction, q: Fraction, growth: int = 8) -> arb:
    r"""Return E f(u) for u ~ N(p, q), for a meromorphic f that is real on the line.

    Parameters
    ----------
    integrand : callable
        f, with :math:`|f(p + \sqrt q \, \xi)| \le \text{growth} \, (1 + \xi^2)`.
    p, q : Fraction
    growth : int

    Raises
    ------
    NotCertified
        If no finite ball was found at the present precision.
    """
    root = ball_of(q).sqrt()

    def weighted(xi: acb) -> acb:
        density = (-xi * xi / 2).exp() / (2 * arb.pi()).sqrt()
        return integrand(ball_of(p) + root * xi) * density

    knots = [fmpq(n * REACH, PIECES) for n in range(-PIECES, PIECES + 1)]
    reach = fmpq(REACH)
    outside = growth * (tail_mass(fmpq(1), reach) + tail_square(fmpq(1), reach))
    found = integral(weighted, knots) + within(outside)
    if not found.is_finite():
        raise NotCertified("Expected a finite mean: compute with more bits.")
    return found


def line_loss(p: Fraction, q: Fraction) -> arb:
    r"""Return :math:`E[2 q - q \tanh^2 u - 2 u \tanh u]` for u ~ N(p, q).

    As :math:`2 |u| \le 1 + u^2 \le 1 + 2 p^2 + 2 q \xi^2` the integrand's growth is known.
    """
    size = ball_of(q)
    growth = int(4 * (1 + p * p + q)) + 1

    def integrand(u: acb) -> acb:
        t = u.tanh()
        return 2 * size - size * t * t - 2 * u * t

    return line_mean(integrand, p, q, growth)
