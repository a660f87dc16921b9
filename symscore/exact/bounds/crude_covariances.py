r"""How far the crude covariances of paper A (2404.18893, section 4.2) are off, without constants.

Let :math:`x \sim N(\mu_i, Q_i)` with :math:`Q_i \preceq \beta I`, crude means :math:`\hat\mu_j`
with :math:`\|\mu_i - \hat\mu_i\|^2 \le \upsilon`, :math:`\Pi` the projector on their span, of rank
at most k, and :math:`\hat\mu(x)` the one nearest to :math:`\Pi x`. Algorithm 3 forms
:math:`\Psi_{PP'}(z) = \operatorname{vec}(P z z^T P') \operatorname{vec}(P z z^T P')^T` for P, P'
the projectors :math:`\Pi` (0) and :math:`I - \Pi` (1).

**Theorem** (own derivation). With :math:`m = \mu_i - \hat\mu_i` and
:math:`v_{PP'} = \operatorname{vec}(P (Q_i + m m^T) P')`, the operator norm of
:math:`E \Psi_{PP'}(x - \hat\mu(x)) - v_{PP'} v_{PP'}^T` is at most
:math:`\eta_{PP'} = 2 \beta^2 + 4 \beta \upsilon + r_{PP'}`, where

.. math:: r_{00} = 3 (k \beta + \upsilon)^2, \qquad
    r_{01} = 3 (k \beta + \upsilon) (\beta + \upsilon), \qquad r_{11} = 0 .

*Proof.* Let A be a matrix with :math:`\|A\|_F = 1`, :math:`A = P A P'`. About the centre
:math:`\hat\mu_i`, :math:`E (z^T A z)^2` is :math:`\langle A, Q_i + m m^T \rangle^2` and the
variance of :math:`z^T A z`, which is between 0 and :math:`2 \beta^2 + 4 \beta \upsilon`. Another
centre changes :math:`u = \Pi z` alone and makes it no longer, being the nearest. So for 00 both
:math:`(u^T A u)^2` have means of at most :math:`E \|\Pi (x - \hat\mu_i)\|^4 \le
3 (\operatorname{tr} \Pi Q_i + \upsilon)^2`, and numbers between 0 and c differ by at most c. For 01
let :math:`A = \sum_r s_r a_r b_r^T` be the singular value decomposition and
:math:`w = z - \Pi z`. Then :math:`(u^T A w)^2 \le \|u\|^2 \sum_r s_r^2 (b_r \cdot w)^2`, and by
Schwarz with :math:`E (b \cdot w)^4 \le 3 (\beta + \upsilon)^2` both means are at most
:math:`r_{01}`. QED

No distance between the means is assumed, and neither R nor the dimension enters.
"""

from typing import TypeVar

from flint import arb, fmpq
from sympy import Expr

Number = TypeVar("Number", fmpq, arb, Expr)


def recentring_errors(k: int, beta: Number, upsilon: Number) -> tuple[Number, Number, Number]:
    """Return r_00, r_01 and r_11, what the nearest centre changes.

    Examples
    --------
    >>> recentring_errors(2, fmpq(1), fmpq(1))
    (27, 18, 0)
    """
    inner, outer = k * beta + upsilon, beta + upsilon
    return 3 * inner * inner, 3 * inner * outer, 0 * beta


def signal_errors(k: int, beta: Number, upsilon: Number) -> tuple[Number, Number, Number]:
    """Return eta_00, eta_01 and eta_11 of the theorem above.

    Examples
    --------
    >>> signal_errors(2, fmpq(1), fmpq(0))
    (14, 8, 2)
    """
    spread = 2 * beta * beta + 4 * beta * upsilon
    r00, r01, r11 = recentring_errors(k, beta, upsilon)
    return spread + r00, spread + r01, spread + r11


def squared_defect(k: int, beta: Number, upsilon: Number, weight: Number) -> Number:
    r"""Return a bound of :math:`\|Q_i + m m^T - \hat Q\|_F^2` for the best :math:`\hat Q`.

    .. math:: \frac2{\lambda_i} (\eta_{00} + 2 \eta_{01} + \eta_{11})

    where :math:`\hat Q = \hat Q_{00} + \hat Q_{01} + \hat Q_{01}^T + \hat Q_{11}` has its parts in
    the top-k spaces of the three mixed moments: lemma 15 bounds the defect of each part by
    :math:`2 \eta / \lambda_i`, and the four blocks are orthogonal.

    Examples
    --------
    >>> squared_defect(1, fmpq(1), fmpq(0), fmpq(1))
    34
    """
    e00, e01, e11 = signal_errors(k, beta, upsilon)
    return 2 * (e00 + 2 * e01 + e11) / weight
