r"""Certified Hermite coefficients of a score under a Gaussian, all of them by one quadrature.

.. math:: a_k = \int s(x) \, h_k(x; V) \, \gamma(x) \, dx, \qquad \gamma = N(0, V)

Gauss-Legendre rules on panels, whose errors are bounded through the integrand's size on ellipses
around them. On an ellipse the components' phases

.. math:: \arg N(x + iy; m_i, v_i) = -y \, u_i(x), \qquad u_i(x) = (x - m_i) / v_i

lie within an arc of length :math:`\Phi = \max |y| \, (\max_i u_i - \min_i u_i)`. Panels are cut so
short that :math:`\Phi \le 2 < \pi`. Then
:math:`|\sum_i w_i N_i(z)| \ge \cos(\Phi / 2) \sum_i w_i |N_i(z)|`, so the density has no zero there
and :math:`|s(z)| \le \max_i |z - m_i| / (v_i \cos(\Phi / 2))`. (Own derivation.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from math import ceil, factorial, log
from typing import final

from flint import arb, fmpq

from symscore.errors import ResourceLimit
from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed, within
from symscore.exact.arithmetic.quadrature import support, tail_mass, tail_square
from symscore.exact.arithmetic.rational import RationalMixture

# The ellipses' parameter is 2, so that their half-axes are 5/4 and 3/4 of half a panel.
LONG, SHORT = fmpq(5, 4), fmpq(3, 4)
MOST_PHASE = 2
MOST_PANELS = 20_000
MOST_NODES = 200_000


def gaussian_coefficients(
    law: RationalMixture, degree: int, variance: fmpq, width: Fraction, *, relative: bool = False
) -> list[Enclosure]:
    """Return enclosures of ``a_0, ..., a_degree``, each no wider than `width`.

    Parameters
    ----------
    law : RationalMixture
        In one dimension.
    degree : int
    variance : fmpq
        V > 0.
    width : Fraction
    relative : bool
        Whether to expand ``s + x``, which adds sqrt(V) to a_1.

    Raises
    ------
    ResourceLimit
        If the panels would have to be too short: components that differ by many deviations.
    NotCertified
        If the width cannot be reached.
    """
    attempt = cache(lambda bits: _attempt(law, degree, variance, bits))

    def coefficient(k: int, bits: int) -> arb:
        linear = ball_of(variance).sqrt() if relative and k == 1 else arb(0)
        return attempt(bits)[k] + linear

    return [narrowed(partial(coefficient, k), width) for k in range(degree + 1)]


@final
@dataclass(frozen=True, slots=True)
class _Panel:
    """The interval ``[centre - half, centre + half]`` and the ellipse around it."""

    centre: fmpq
    half: fmpq

    @property
    def radius(self) -> fmpq:
        """Long half-axis: the ellipse lies in the disc of this radius."""
        return LONG * self.half


def _attempt(law: RationalMixture, degree: int, variance: fmpq, bits: int) -> list[arb]:
    gaussian = RationalMixture((fmpq(1),), ((fmpq(0),),), (((variance,),),))
    # What lies outside is bounded by a root, so that it needs twice the bits.
    left, right = support(gaussian, 2 * bits)
    panels = list(_panels(law, left, right, variance))
    bounds = [_bounds(law, panel, degree, variance) for panel in panels]
    rule = _rule(bounds, bits)
    if len(rule) * len(panels) > MOST_NODES:
        raise _too_many(len(rule) * len(panels))
    sums = _sums(law, panels, rule, degree, variance)
    outside = within(_outside(law, variance, right))
    factor = arb(64) / 15 / (1 - arb(1) / 4) / arb(4) ** (len(rule) - 1)
    coefficients = []
    for k, total in enumerate(sums):
        errors = (ball_of(panel.half) * row[k] for panel, row in zip(panels, bounds, strict=True))
        coefficients.append(total + within(factor * sum(errors, arb(0))) + outside)
    return coefficients


def _panels(law: RationalMixture, left: fmpq, right: fmpq, variance: fmpq) -> Iterator[_Panel]:
    """Cut an interval so that on every ellipse the phases lie within an arc of 2."""
    longest = fmpq(1)
    while 4 * longest * longest <= variance:
        longest *= 2
    while longest * longest > variance:
        longest /= 2
    count = 0
    while left < right:
        count += 1
        if count > MOST_PANELS:
            raise _too_many(count)
        half = longest
        while _phase(law, _Panel(left + half, half)) > MOST_PHASE:
            half /= 2
        yield _Panel(left + half, half)
        left += 2 * half


def _phase(law: RationalMixture, panel: _Panel) -> fmpq:
    """Return the most that phases differ by on a panel's ellipse.

    ``max_i u_i - min_i u_i`` is convex in x, so it is largest at an end.
    """
    ends = (panel.centre - panel.radius, panel.centre + panel.radius)
    return SHORT * panel.half * max(_spread(law, end) for end in ends)


def _spread(law: RationalMixture, x: fmpq) -> fmpq:
    pulls = [
        (x - mean) / variance
        for (mean,), ((variance,),) in zip(law.means, law.covariances, strict=True)
    ]
    return max(pulls) - min(pulls)


def _bounds(law: RationalMixture, panel: _Panel, degree: int, variance: fmpq) -> list[arb]:
    r"""Bound ``|s h_k gamma|`` on a panel's ellipse for every k.

    ``|H_k(z; V)| <= H_k(|z|; -V)``, whose coefficients are those of H_k without their signs, and
    ``|gamma(x + iy)| = gamma(x) exp(y^2 / 2V)``.
    """
    pull = max(
        (abs(panel.centre - mean) + panel.radius) / spread
        for (mean,), ((spread,),) in zip(law.means, law.covariances, strict=True)
    )
    nearest = max(abs(panel.centre) - panel.radius, fmpq(0))
    height = SHORT * panel.half
    v = ball_of(variance)
    exponent = ball_of((height * height - nearest * nearest) / (2 * variance))
    size = ball_of(pull) / arb(1).cos() * exponent.exp() / (2 * arb.pi() * v).sqrt()
    farthest = ball_of(abs(panel.centre) + panel.radius)
    monic = _hermite(farthest, degree, -v)
    return [size * value / norm for value, norm in zip(monic, _norms(degree, v), strict=True)]


def _rule(bounds: list[list[arb]], bits: int) -> list[tuple[arb, arb]]:
    r"""Return nodes and weights on (-1, 1), as many as the bits ask for.

    The error of n nodes on a panel is at most
    ``64/15 M half 2^(-2 (n - 1)) / (1 - 2^-2)`` with the bound M on its ellipse (Trefethen,
    Approximation Theory and Approximation Practice, theorem 19.3, rho = 2).
    """
    largest = max(float(bound.log().mid()) for row in bounds for bound in row)
    order = max(ceil((bits + largest / log(2)) / 2), 0) + 6
    return [arb.legendre_p_root(order, i, weight=True) for i in range(order)]


def _sums(
    law: RationalMixture,
    panels: list[_Panel],
    rule: list[tuple[arb, arb]],
    degree: int,
    variance: fmpq,
) -> list[arb]:
    """Return the quadrature sums of ``s h_k gamma`` for every k."""
    components = [
        (ball_of(weight) / ball_of(spread).sqrt(), ball_of(mean), ball_of(spread))
        for weight, (mean,), ((spread,),) in zip(
            law.weights, law.means, law.covariances, strict=True
        )
    ]
    v = ball_of(variance)
    sums = [arb(0)] * (degree + 1)
    for panel in panels:
        centre, half = ball_of(panel.centre), ball_of(panel.half)
        for node, weight in rule:
            x = centre + half * node
            mass = half * weight * (-x * x / (2 * v)).exp() * _score(components, x)
            sums = [
                total + mass * value
                for total, value in zip(sums, _hermite(x, degree, v), strict=True)
            ]
    root = (2 * arb.pi() * v).sqrt()
    return [total / (root * norm) for total, norm in zip(sums, _norms(degree, v), strict=True)]


def _score(components: list[tuple[arb, arb, arb]], x: arb) -> arb:
    slope, total = arb(0), arb(0)
    for factor, mean, spread in components:
        pull = (mean - x) / spread
        part = factor * (pull * (x - mean) / 2).exp()
        slope += part * pull
        total += part
    return slope / total


def _hermite(x: arb, degree: int, variance: arb) -> list[arb]:
    """Return ``H_0(x; V), ..., H_degree(x; V)`` by their three-term recurrence."""
    values = [arb(1), x]
    for n in range(1, degree):
        values.append(x * values[n] - n * variance * values[n - 1])
    return values[: degree + 1]


def _norms(degree: int, variance: arb) -> list[arb]:
    """Return the norms ``(V^k k!)^(1/2)`` of the monic polynomials."""
    return [(variance**k * factorial(k)).sqrt() for k in range(degree + 1)]


def _outside(law: RationalMixture, variance: fmpq, bound: fmpq) -> arb:
    r"""Bound ``|E[s h_k; |x| > B]|`` for every k by ``E[s^2; |x| > B]^(1/2)``.

    That is Cauchy and Schwarz's inequality, as ``E h_k^2 = 1``. With the largest ``|m_i|`` and the
    smallest v_i, ``|s| <= (|x| + m) / v``, so its square is at most ``2 (x^2 + m^2) / v^2``.
    """
    reach = max(abs(mean) for (mean,) in law.means)
    least = min(entry for ((entry,),) in law.covariances)
    square = tail_square(variance, bound) + reach * reach * tail_mass(variance, bound)
    return (2 * square / (least * least)).sqrt()


def _too_many(count: int) -> ResourceLimit:
    return ResourceLimit(
        f"Expected at most {MOST_PANELS} panels and {MOST_NODES} nodes; got {count} or more: "
        "the components are too many deviations apart, or the degree or the digits too many."
    )
