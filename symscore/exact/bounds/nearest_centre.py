r"""The nearest of some crude means, and how often it is not that of the point's own component.

Let :math:`x \sim N(\mu, Q)`, :math:`Q \preceq \beta I`, with a crude mean :math:`\hat\mu` and
another component's :math:`\hat\nu`, each within :math:`\sqrt\upsilon` of its mean, the means being
:math:`D \ge 4 \sqrt\upsilon` apart. Then x, or its projection on a space that holds both crude
means, is nearer to :math:`\hat\nu` with probability at most

.. math:: \tfrac12 \exp\left( -\frac{(D / 2 - 2 \sqrt\upsilon)^2}{2 \beta} \right).

*Proof* (own derivation). Nearer to :math:`\hat\nu` means :math:`\langle h, x - c \rangle > 0` with
:math:`h = (\hat\nu - \hat\mu) / \|\hat\nu - \hat\mu\|` and c the midpoint. This is Gaussian
with a variance of at most :math:`\beta` and a mean of :math:`\langle h, \mu - \hat\mu \rangle -
\|\hat\nu - \hat\mu\| / 2 \le 2 \sqrt\upsilon - D / 2`, and
:math:`P(Z > t) \le \frac12 e^{-t^2 / 2}` for t >= 0. QED
"""

from flint import arb, fmpq_mat

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.exact.arithmetic.rational import Row, column


def wrong_side(mean: Row, covariance: fmpq_mat, own: Row, other: Row) -> arb:
    r"""Return the probability that x is nearer to the `other` centre than to its `own`, exactly.

    Examples
    --------
    >>> from flint import fmpq
    >>> one = fmpq_mat([[1]])
    >>> wrong_side((fmpq(0),), one, (fmpq(-1),), (fmpq(1),))
    0.500000000000000
    """
    across = column(other) - column(own)
    middle = (column(other) + column(own)) / 2
    place = (across.transpose() * (column(mean) - middle))[0, 0]
    spread = (across.transpose() * covariance * across)[0, 0]
    return normal_tail(-ball_of(place) / ball_of(spread).sqrt())


def wrong_side_bound(distance: arb, error: arb, beta: arb) -> arb:
    r"""Return the bound above; `error` is the root of upsilon.

    Examples
    --------
    >>> wrong_side_bound(arb(4), arb(0), arb(2))
    [0.183939720585721 +/- ...]
    """
    return (-((distance / 2 - 2 * error) ** 2) / (2 * beta)).exp() / 2
