r"""The generator's powers on the denoiser of two points, and their norms as balls.

Two equal atoms at :math:`\pm \mu` on the line and noise of variance 1 have the denoiser
:math:`f(y) = \mu \tanh(\mu y)`. With :math:`T = \tanh(\mu y)` and :math:`T' = \mu (1 - T^2)`, all
powers of :math:`\mathcal L f = f'' - y f'` on f are polynomials in y and T.
"""

from fractions import Fraction
from math import isqrt

from flint import acb, arb, ctx, fmpq

from symscore.errors import BadOption
from symscore.exact.arithmetic.balls import ball_of, within
from symscore.exact.arithmetic.moments import Exponent, gaussian_moments
from symscore.exact.arithmetic.polynomial import Polynomial, partial, product
from symscore.exact.arithmetic.quadrature import integral, tail_mass

PIECES = 4


def generator_power(mu: fmpq, m: int) -> dict[Exponent, fmpq]:
    r"""Return :math:`\mathcal L^m f`, from powers of (y, T) to coefficient.

    Examples
    --------
    >>> generator_power(fmpq(1), 1)
    {(0, 1): -2, (0, 3): 2, (1, 0): -1, (1, 2): 1}
    """
    power: Polynomial = {(0, 1): mu}
    for _ in range(m):
        slope = _slope(power, mu)
        drift = product({(1, 0): fmpq(-1)}, slope)
        power = _sum(_slope(slope, mu), drift)
    return {a: value for a, value in sorted(power.items()) if value != 0}


def generator_moment(mu: Fraction, m: int, p: int, *, law: bool = False) -> arb:
    r"""Return :math:`E |\mathcal L^m f|^p`, the p-th power of a norm, at flint's precision.

    Parameters
    ----------
    mu : Fraction
    m : int
    p : int
        Even.
    law : bool
        Whether the mean is over the law :math:`\frac12 N(\pm \mu, 1)`, else over N(0, 1).

    Raises
    ------
    BadOption
        On an odd p.

    Examples
    --------
    >>> round(float(generator_moment(Fraction(1), 1, 2).sqrt()), 6)
    0.874418
    """
    if p % 2 or p < 2:
        raise BadOption(f"Expected an even power; got {p}.")
    place = fmpq(mu.numerator, mu.denominator)
    terms = generator_power(place, m)
    reach = abs(place) + 2 * (isqrt(ctx.prec) + 1)

    def integrand(y: acb) -> acb:
        tanh = (ball_of(place) * y).tanh()
        value = sum((ball_of(c) * y**i * tanh**j for (i, j), c in terms.items()), acb(0))
        density = (-y * y / 2).exp() / (2 * arb.pi()).sqrt()
        if law:
            density *= (ball_of(place) * y).cosh() * ball_of(-place * place / 2).exp()
        return value**p * density

    # Both means are symmetric, and so is an even power.
    knots = [fmpq(n) * reach / PIECES for n in range(PIECES + 1)]
    outside = _outside(place if law else fmpq(0), terms, p, reach)
    return 2 * integral(integrand, knots) + within(outside)


def _outside(mean: fmpq, terms: Polynomial, p: int, reach: fmpq) -> arb:
    r"""Bound the part of the mean beyond ``|y| > reach``.

    As :math:`|T| \le 1`, the function is at most a polynomial q of :math:`|y| \le (1 + y^2) / 2`,
    and Cauchy and Schwarz say :math:`E[q^p; A] \le (E[q^{2p}] P(A))^{1/2}` under N(mean, 1), the
    same for both signs of the mean.
    """
    square: Polynomial = {(0,): fmpq(1, 2), (2,): fmpq(1, 2)}
    bound: Polynomial = {}
    for (i, _), c in terms.items():
        factor: Polynomial = {(0,): abs(c)}
        for _ in range(i):
            factor = product(factor, square)
        bound = _sum(bound, factor)
    power: Polynomial = {(0,): fmpq(1)}
    for _ in range(2 * p):
        power = product(power, bound)
    table = gaussian_moments((mean,), ((fmpq(1),),), max(sum(a) for a in power))
    mean_power = sum((c * table[a] for a, c in power.items()), fmpq(0))
    return (ball_of(mean_power) * tail_mass(fmpq(1), reach - abs(mean))).sqrt()


def _slope(polynomial: Polynomial, mu: fmpq) -> dict[Exponent, fmpq]:
    inner = product(partial(polynomial, 1), {(0, 0): mu, (0, 2): -mu})
    return _sum(partial(polynomial, 0), inner)


def _sum(left: Polynomial, right: Polynomial) -> dict[Exponent, fmpq]:
    return {a: left.get(a, fmpq(0)) + right.get(a, fmpq(0)) for a in {*left, *right}}
