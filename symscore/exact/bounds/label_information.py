r"""The differential entropy of a mixture, through what a point says about its component.

With the components' entropies :math:`h(N_i) = \frac12 \log\det(2 \pi e \, C_i)` and the
responsibilities :math:`r_i(x)`,

.. math:: -h(M) = E_M \log p = -\sum_i w_i \, h(N_i) - I, \qquad
    I = E_M \sum_i r_i \log \frac{r_i}{w_i},

the mutual information I of the component and the point, between 0 and the entropy of the weights.
As r depends on the statistic t of :mod:`symscore.exact.information.statistic` alone, so does I;
where t is one number, I is an integral over the line. Two ways to enclose it:

* by the entropy of t, :math:`I = -\int p \log p \, dt - \sum_i w_i \, h(N_i(t))`, with Arb's
  adaptive complex quadrature;
* by the divergence of posterior and prior, :math:`I = \int p \sum_i r_i \log (r_i / w_i) \, dt`,
  with real Taylor polynomials and their remainders on bisected intervals.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import reduce

from flint import acb, arb, arb_series, ctx, fmpq

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed, precision
from symscore.exact.arithmetic.quadrature import integral, support, tail_mass, tail_square
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.statistic import line_statistic

TAYLOR_ORDER = 24
MOST_INTERVALS = 20_000


def by_quadrature(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose I by the entropy of t, in about 0.1 seconds for 12 digits.

    Raises
    ------
    UnsupportedInstance
        If the components differ along more than one direction.
    NotCertified
        If the width is not reached.
    """
    law = line_statistic(mixture).law
    if law is None:
        return Enclosure(Fraction(0), Fraction(0))

    def information(bits: int) -> arb:
        within = sum(
            (
                ball_of(weight) * _line_entropy(variance)
                for weight, ((variance,),) in zip(law.weights, law.covariances, strict=True)
            ),
            arb(0),
        )
        return _entropy(law) - within

    return narrowed(information, width)


def by_taylor(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose I by the divergence of posterior and prior, in about a second for 12 digits.

    Raises
    ------
    UnsupportedInstance
        If the components differ along more than one direction.
    NotCertified
        If the width is not reached.
    """
    law = line_statistic(mixture).law
    if law is None:
        return Enclosure(Fraction(0), Fraction(0))
    digits = width.denominator.bit_length() - width.numerator.bit_length() + 8
    with precision(2 * max(digits, 0) + 64):
        low, high = support(law, max(digits, 0) + 16)
        # Outside, the integrand is p times a divergence, which is at most max(-log w).
        outside = _most_divergence(law) * _outside(law, low, high)
        inside = taylor_integral(_divergence(law), low, high, ball_of(width / 2))
        found = Enclosure.of_ball(inside + outside.union(arb(0)))
    if found.width > width:
        raise NotCertified(
            f"Expected an enclosure no wider than {float(width):.3g}; Taylor polynomials reached "
            f"{float(found.width):.3g}."
        )
    return found


def mean_component_entropy(mixture: RationalMixture) -> arb:
    r"""Return ``sum_i w_i h(N_i)``, a ball at the present precision."""
    total = arb(0)
    for i, weight in enumerate(mixture.weights):
        log_det = ball_of(mixture.covariance(i).det()).log()
        total += ball_of(weight) * (mixture.dim * ((2 * arb.pi()).log() + 1) + log_det) / 2
    return total


def _entropy(law: RationalMixture) -> arb:
    """Return ``-int p log p``."""
    logs = _log_densities(law)

    def integrand(t: acb) -> acb:
        values = [log(t) for log in logs]
        # Relative to the largest component the argument of the logarithm stays off its cut.
        middle = [float(value.real.mid()) for value in values]
        top = values[middle.index(max(middle))]
        ratio = sum(((value - top).exp() for value in values), acb(0))
        return -top.exp() * ratio * (top + ratio.log(analytic=True))

    low, high = support(law, ctx.prec)
    return integral(integrand, [low, high]) + _entropy_tail(law, low, high)


def _log_densities(law: RationalMixture) -> list[Callable[[acb], acb]]:
    """Return the functions ``log(w_i N_i)`` of a mixture on the line, for balls and series."""

    def one(weight: fmpq, mean: fmpq, variance: fmpq) -> Callable[[acb], acb]:
        constant = ball_of(weight).log() - (2 * arb.pi() * ball_of(variance)).log() / 2
        rate, centre = -1 / (2 * ball_of(variance)), ball_of(mean)
        return lambda t: rate * (t - centre) * (t - centre) + constant

    return [
        one(weight, mean, variance)
        for weight, (mean,), ((variance,),) in zip(
            law.weights, law.means, law.covariances, strict=True
        )
    ]


def _entropy_tail(law: RationalMixture, low: fmpq, high: fmpq) -> arb:
    r"""Enclose the part of ``-int p log p`` outside of an interval.

    There :math:`-p \log p = p \sum_i r_i \log (r_i / w_i) - \sum_i w_i N_i \log N_i`.
    """
    total = (_most_divergence(law) * _outside(law, low, high)).union(arb(0))
    for weight, (mean,), ((variance,),) in zip(
        law.weights, law.means, law.covariances, strict=True
    ):
        radius = min(mean - low, high - mean)
        scale = (2 * arb.pi() * ball_of(variance)).log() / 2
        mass = (scale * tail_mass(variance, radius)).union(arb(0))
        square = (tail_square(variance, radius) / (2 * ball_of(variance))).union(arb(0))
        total += ball_of(weight) * (mass + square)
    return total


def _most_divergence(law: RationalMixture) -> arb:
    """Return ``max_i -log w_i``, which no divergence from the weights exceeds."""
    return reduce(arb.max, (-ball_of(weight).log() for weight in law.weights))


def _outside(law: RationalMixture, low: fmpq, high: fmpq) -> arb:
    """Bound the mass outside of an interval."""
    return sum(
        (
            ball_of(weight) * tail_mass(variance, min(mean - low, high - mean))
            for weight, (mean,), ((variance,),) in zip(
                law.weights, law.means, law.covariances, strict=True
            )
        ),
        arb(0),
    )


def _line_entropy(variance: fmpq) -> arb:
    return ((2 * arb.pi() * ball_of(variance)).log() + 1) / 2


def _divergence(law: RationalMixture) -> Callable[[arb_series], arb_series]:
    """Return the integrand ``sum_i w_i N_i log(r_i / w_i)`` for series."""
    logs = _log_densities(law)
    log_weights = [ball_of(weight).log() for weight in law.weights]

    def integrand(t: arb_series) -> arb_series:
        values = [log(t) for log in logs]
        total = arb_series([0])
        for value, log_weight in zip(values, log_weights, strict=True):
            # The logarithm of p / (w_i N_i) = 1 / r_i.
            surprise = sum(((other - value).exp() for other in values), arb_series([0])).log()
            total -= value.exp() * (surprise + log_weight)
        return total

    return integrand


def taylor_integral(
    integrand: Callable[[arb_series], arb_series], low: fmpq, high: fmpq, tolerance: arb
) -> arb:
    r"""Integrate by Taylor polynomials of order n - 1 on intervals [c - r, c + r].

    .. math:: \int f = 2 \sum_{k < n, \, k \text{ even}} f_k \frac{r^{k+1}}{k + 1} + R, \qquad
        |R| \le \frac{2 r^{n+1}}{n + 1} \sup_{[c - r, c + r]} |f_n|

    with :math:`f_k = f^{(k)}(c) / k!` and the supremum from the series about the whole interval as
    a ball; an interval is halved until its R is its share of the tolerance.
    """
    share = tolerance / ball_of(high - low)
    total, waiting, count = arb(0), [(low, high)], 0
    while waiting:
        left, right = waiting.pop()
        count += 1
        if count > MOST_INTERVALS:
            raise NotCertified(
                f"Expected Taylor polynomials on at most {MOST_INTERVALS} intervals to do: ask "
                "for fewer digits."
            )
        radius, centre = (right - left) / 2, (left + right) / 2
        r = ball_of(radius)
        whole = _coefficients(integrand, ball_of(centre) + arb(0, 1) * r)
        power = r ** (TAYLOR_ORDER + 1)
        remainder = 2 * power / (TAYLOR_ORDER + 1) * abs(whole[TAYLOR_ORDER])
        if not remainder < share * 2 * r:
            waiting += [(left, centre), (centre, right)]
            continue
        at = _coefficients(integrand, ball_of(centre))
        for k in range(0, TAYLOR_ORDER, 2):
            total += 2 * at[k] * r ** (k + 1) / (k + 1)
        total += arb(0, 1) * remainder.upper()
    return total


def _coefficients(integrand: Callable[[arb_series], arb_series], point: arb) -> list[arb]:
    before, ctx.cap = ctx.cap, TAYLOR_ORDER + 1
    try:
        found = integrand(arb_series([point, 1])).coeffs()
    finally:
        ctx.cap = before
    return list(found) + [arb(0)] * (TAYLOR_ORDER + 1 - len(found))
