r"""Three theorems on how fast the Hermite series of a denoiser converges, as formulas in balls.

Let Q be any law on the ball of radius R about c in R^n, Y = mu + sigma xi with mu ~ Q, and
:math:`f(y) = E[\mu \mid Y = y]`. Everything is relative to c (c = 0 below). Write
:math:`f = \sum_k a_k h_k(y / s)`, h_k the orthonormal Hermite polynomials of :math:`N(0, s^2 I)`,
and :math:`T_d = (\sum_{|k| \ge d} |a_k|^2)^{1/2}`, the L2 error of the best polynomial of degree
below d. With :math:`\rho = R s / \sigma^2`:

**A (strip).** For :math:`0 < \theta < \pi / 2`,

.. math:: T_d \le R \left( \frac{S(\theta)}{G_n(d, \theta^2 / \rho^2)} \right)^{1/2}, \qquad
    S(\theta) = \frac{1}{2 \pi} \int_0^{2 \pi} \sec^2(\theta \sin\varphi) \, d\varphi,

.. math:: G_1(d, x) = \sum_m \binom{d}{m} \frac{x^m}{m!} = L_d(-x), \qquad
    G_n(d, x) = \sum_m \binom{d}{m} \frac{x^m}{n (n + 2) \cdots (n + 2 m - 2)} \quad (n \ge 2).

*Proof* (own derivation). For a unit vector u, f is holomorphic on
:math:`|\operatorname{Im} z| < \pi \sigma^2 / 2R` in :math:`f(y + z u)` with
:math:`|f(y + z u)| \le R \sec(R |\operatorname{Im} z| / \sigma^2)`: the weights
:math:`e^{\langle \mu, y + z u \rangle / \sigma^2}` of f's two integrals over Q have phases of at
most :math:`R |\operatorname{Im} z| / \sigma^2`, so the real part of the denominator is at least the
cosine of that times the integral of absolute values. Parseval on the circle
:math:`|z| = r = \theta \sigma^2 / R`, with :math:`D_u` the derivative along u, says

.. math:: \sum_m \frac{r^{2 m}}{m!^2} |D_u^m f(y)|^2
    = \frac{1}{2 \pi} \int |f(y + r e^{i \varphi} u)|^2 d\varphi \le R^2 S(\theta).

Take the mean over u uniform on the sphere. For a symmetric tensor t of order m and z ~ N(0, I),
:math:`\langle t, z^{\otimes m} \rangle` has the chaos component of order m with variance
:math:`m! \|t\|^2`, so
:math:`E_u \langle t, u^{\otimes m} \rangle^2 \ge m! \|t\|^2 / (n (n + 2) \cdots (n + 2 m - 2))`,
the divisor being :math:`E|z|^{2m}`; for n = 1 the mean is :math:`t^2` itself. Last, the mean over
y ~ N(0, s^2 I) and :math:`E \|\nabla^m f\|^2 = s^{-2m} m! \sum_k \binom{|k|}{m} |a_k|^2` give
:math:`\sum_k G_n(|k|, r^2 / s^2) |a_k|^2 \le R^2 S(\theta)`; G_n increases in its first
argument. QED. With theta near pi/2 the rate for n = 1 is
:math:`e^{-(\pi / 2) \sqrt{d} / \rho}`, that of f = mu tanh(mu y).

**B (noise sensitivity).** For :math:`0 \le m \le d`, in every dimension,

.. math:: T_d \le R \, \rho^m N(m) \left( \frac{(d - m)!}{d!} \right)^{1/2}, \qquad
    N(m) = \sum_{j = 1}^{m + 1} S(m + 1, j) \, (j - 1)!

with Stirling's numbers of the second kind.

*Proof* (own derivation). :math:`\nabla^m f = \sigma^{-2m} \kappa_{m + 1}(\mu \mid y)`, and a joint
cumulant is :math:`\sum_\pi (-1)^{|\pi| - 1} (|\pi| - 1)! \bigotimes_{B \in \pi} E[\mu^{\otimes B}]`
over the partitions of m + 1 indices, each term of norm at most :math:`R^{m + 1}`. So
:math:`\|\nabla^m f\| \le R^{m + 1} \sigma^{-2m} N(m)` everywhere, and
:math:`d (d - 1) \cdots (d - m + 1) T_d^2 \le s^{2m} E \|\nabla^m f\|^2`. QED

**C (law).** With :math:`s^2 = (1 + \delta) \sigma^2`, delta > 0, P the law of Y and g the Hermite
series cut off before d,

.. math:: \|f - g\|_{L^2(P)} \le (1 + \delta)^{n / 4} e^{R^2 / (4 \delta \sigma^2)} \, T_d.

*Proof.* :math:`\log (dP / dN(0, s^2 I))` is at most :math:`\frac n2 \log(1 + \delta)` plus the
supremum of :math:`|y|^2 / 2 s^2 - |y - \mu|^2 / 2 \sigma^2` over y and :math:`|\mu| \le R`, which
is :math:`R^2 / (2 \delta \sigma^2)`, at :math:`y = \mu (1 + \delta) / \delta`. QED
"""

from fractions import Fraction
from functools import cache
from math import comb

from flint import acb, arb, ctx, fmpq, fmpz

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.quadrature import integral


def strip_by_sums(dim: int, order: int, ratio: Fraction, theta: Fraction) -> arb:
    r"""Return theorem A's bound on ``T_order / R``: G summed term by term, S by quadrature.

    Parameters
    ----------
    dim : int
        n.
    order : int
        d, the first degree left out.
    ratio : Fraction
        ``rho^2``.
    theta : Fraction
        In (0, pi/2).
    """
    x = ball_of(theta * theta / ratio)
    term = total = arb(1)
    for m in range(order):
        divisor = (m + 1) ** 2 if dim == 1 else (m + 1) * (dim + 2 * m)
        term = term * x * (order - m) / divisor
        total += term
    return (_circle_by_quadrature(theta) / total).sqrt()


def strip_by_functions(dim: int, order: int, ratio: Fraction, theta: Fraction) -> arb:
    r"""Return the same bound: G as a confluent hypergeometric function, S as a sum over a circle.

    .. math:: G_1(d, x) = {}_1F_1(-d; 1; -x), \qquad G_n(d, x) = {}_1F_1(-d; n/2; -x/2)
    """
    x = ball_of(theta * theta / ratio)
    parameter, point = (arb(1), -x) if dim == 1 else (arb(dim) / 2, -x / 2)
    return (_circle_by_trapezoids(theta) / point.hypgeom_1f1(arb(-order), parameter)).sqrt()


def noise_by_stirling(order: int, ratio: Fraction, m: int) -> arb:
    """Return theorem B's bound on ``T_order / R``, with N(m) from Stirling's numbers."""
    count = sum(int(fmpz.stirling_s2(m + 1, j)) * _factorial(j - 1) for j in range(1, m + 2))
    return _noise(order, ratio, m, count)


def noise_by_orderings(order: int, ratio: Fraction, m: int) -> arb:
    """Return the same bound with N(m) = 2 F(m), F(m) the weak orderings of m things, m > 0."""
    return _noise(order, ratio, m, 2 * weak_orderings(m)[m] if m else 1)


def law_factor(dim: int, squared: Fraction, dilation: Fraction) -> arb:
    r"""Return theorem C's factor, 1 where `dilation` is 0 and the norm is that of the reference.

    Parameters
    ----------
    dim : int
        n.
    squared : Fraction
        ``R^2 / sigma^2``.
    dilation : Fraction
        delta.
    """
    if dilation == 0:
        return arb(1)
    exponent = ball_of(squared / (4 * dilation)) + arb(dim) / 4 * ball_of(1 + dilation).log()
    return exponent.exp()


@cache
def weak_orderings(most: int) -> tuple[int, ...]:
    r"""Return the Fubini numbers F(0) to F(most).

    .. math:: F(m) = \sum_{j = 1}^m \binom{m}{j} F(m - j), \qquad F(0) = 1

    Examples
    --------
    >>> weak_orderings(5)
    (1, 1, 3, 13, 75, 541)
    """
    numbers = [1]
    for m in range(1, most + 1):
        numbers.append(sum(comb(m, j) * numbers[m - j] for j in range(1, m + 1)))
    return tuple(numbers)


def _noise(order: int, ratio: Fraction, m: int, count: int) -> arb:
    falling = _factorial(order) // _factorial(order - m)
    return (ball_of(ratio) ** m / falling).sqrt() * count


def _circle_by_quadrature(theta: Fraction) -> arb:
    """Return S(theta), four times the part of the first quadrant."""
    angle = acb(ball_of(theta))
    right = arb.pi() / 2

    def integrand(turn: acb) -> acb:
        # The quadrature wants rational ends: turn runs over a quarter from 0 to 1.
        return 1 / (angle * (turn * right).sin()).cos() ** 2

    return integral(integrand, [fmpq(0), fmpq(1)])


def _circle_by_trapezoids(theta: Fraction) -> arb:
    r"""Return S(theta) by n equidistant points.

    The integrand is analytic and at most :math:`M = \sec^2(\theta \cosh a)` where
    :math:`|\operatorname{Im} \varphi| \le a` and :math:`\theta \cosh a < \pi / 2`, as
    :math:`|\cos z|^2 = \cos^2 \operatorname{Re} z + \sinh^2 \operatorname{Im} z`; the mean over n
    points is then off by at most :math:`2 M / (e^{a n} - 1)` (Trefethen and Weideman 2014).
    """
    angle = ball_of(theta)
    reach = (1 + arb.pi() / (2 * angle)) / 2
    strip = reach.acosh().lower()
    bound = 1 / (angle * reach).cos() ** 2
    count = int(float((ctx.prec + 8) * arb(2).log() / strip)) + 1
    total = arb(0)
    for i in range(count):
        total += 1 / (angle * arb.sin_pi_fmpq(fmpq(2 * i, count))).cos() ** 2
    return total / count + arb(0, 1) * (2 * bound / ((strip * count).exp() - 1)).upper()


def _factorial(number: int) -> int:
    return int(fmpz.fac_ui(number))
