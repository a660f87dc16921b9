r"""The Fisher information along the Ornstein-Uhlenbeck process, integrated with Stam's inequality.

In the time tau of :math:`y = x_0 + N(0, \tau I)` the law of :math:`\alpha y` is the process at
:math:`\alpha = (1 + \tau)^{-1/2} = e^{-t}`, its Fisher information J is that of y times
:math:`1 / \alpha^2 = e^{2t}`, and :math:`dt = d\tau / 2 (1 + \tau)`, so

.. math:: \int_{t_0}^{t_1} J_t \, dt = \frac12 \int_{\tau_0}^{\tau_1} J(\tau) \, d\tau .

Stam's inequality :math:`1 / J(X + Z) \ge 1 / J(X) + 1 / J(Z)` for independent X, Z, with Z normal,
is :math:`J(\tau) \le (1 / J(\tau_0) + (\tau - \tau_0) / d)^{-1}` for :math:`\tau \ge \tau_0`, and

.. math:: \frac12 \int_{\tau_0}^{\tau_1} J(\tau) \, d\tau \le
    \frac d2 \log \left( 1 + \frac{(\tau_1 - \tau_0) \, J(\tau_0)}{d} \right) ,

with equality where :math:`y` is normal with a multiple of the identity as its covariance.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

from flint import arb

from symscore.exact.arithmetic.balls import Enclosure, ball_of, precision
from symscore.exact.arithmetic.rational import RationalMixture

Information = Callable[[RationalMixture, Fraction], Enclosure]

# Each interval costs one enclosure of J; the bound's excess falls as one over their number.
INTERVALS = 120
BITS = 128


def fisher_integral_above(
    mixture: RationalMixture,
    alphas: Sequence[Fraction],
    information: Information,
    width: Fraction,
) -> Fraction:
    r"""Return an upper bound on the integral of J over time, from the last level to the first.

    Parameters
    ----------
    mixture : RationalMixture
        The law of x_0.
    alphas : sequence of Fraction
        Increasing, from noise to data; every interval is divided so that there are about 120.
    information : callable
        Encloses J of a mixture to a width.
    width : Fraction
        Of each enclosure of J.

    Raises
    ------
    UnsupportedInstance, NotCertified
        Where `information` does.
    """
    nodes = _refined(alphas)
    # With the width added, a narrower one never gives more.
    informations = [information(mixture.at(alpha), width).upper + width for alpha in nodes[1:]]
    dim = mixture.dim
    with precision(BITS):
        total = arb(0)
        for (noisy, clean), found in zip(pairwise(nodes), informations, strict=True):
            step = 1 / noisy**2 - 1 / clean**2
            total += ball_of(1 + step * clean**2 * found / dim).log() * dim / 2
        return Enclosure.of_ball(total).upper


def _refined(alphas: Sequence[Fraction]) -> list[Fraction]:
    parts = -(-INTERVALS // (len(alphas) - 1))
    return [
        low + (high - low) * i / parts for low, high in pairwise(alphas) for i in range(parts)
    ] + [alphas[-1]]
