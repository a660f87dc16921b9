"""Section 6.2 of paper A: how near polynomials come to a function, and their coefficients."""

from fractions import Fraction
from itertools import pairwise
from math import comb, factorial

import sympy
from flint import arb
from sympy import chebyshevt_poly, pi, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import precision
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require


@entry(
    "A.Lem41",
    title="Jackson's theorem",
    page="50",
    statement=r"A continuous F on the unit ball of $R^n$ has polynomials $p_\ell$ of degree $\ell$ "
    r"with $\sup |F - p_\ell| \lesssim \omega(F, n / \ell)$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    reason="the constant is not stated",
    weaker=r"that for every continuous F there is a polynomial of degree m in each variable with "
    r"$\sup |F - p| \le 6 \, \omega(F, \sqrt n / (m + 2))$; for n = 1 this is the statement, with "
    "constant 6",
    uses=(
        r"$1 - \cos t \ge 2 t^2 / \pi^2$ for $|t| \le \pi$ and $1 - \cos t \le t^2 / 2$",
        r"$\omega(F, \lambda h) \le (1 + \lambda) \, \omega(F, h)$",
        r"F continued by the nearest point of the ball has the same $\omega$",
    ),
)
def jackson(effort: Effort) -> str:
    r"""Decide the mean of :math:`t^2` under Korovkin's kernel, and compare with a worst F.

    The kernel :math:`|\sum_{j \le m} a_j e^{i j t}|^2 / \sum a_j^2` with
    :math:`a_j = U_j(\cos \theta)`, :math:`\theta = \pi / (m + 2)`, turns :math:`F(\cos t)` into a
    polynomial in its cosine of degree m; the mean of :math:`\cos t` is :math:`\cos \theta`.
    """
    x, theta, n, m = symbols("x theta n m", positive=True)
    most = effort.pick(8, 20)
    second = [sympy.Poly(1, x), sympy.Poly(2 * x, x)]
    for _ in range(most):
        second.append(sympy.Poly(2 * x, x) * second[-1] - second[-2])
    for order in range(1, most + 1):
        u = second[: order + 2]
        lags = sum((2 * a * b for a, b in pairwise(u[:-1])), sympy.Poly(0, x))
        squares = sum((a * a for a in u[:-1]), sympy.Poly(0, x))
        # U_(m+1) vanishes at cos(pi / (m + 2)), so that the mean of the cosine is x.
        require(lags == 2 * squares * sympy.Poly(x, x) - u[-2] * u[-1], "the lags", order)
    # E t^2 <= pi^2 / 2 (1 - cos theta) <= pi^2 theta^2 / 4, in each of n variables.
    mean = sqrt(n * pi**2 / 2 * theta**2 / 2)
    step = sqrt(n) / (m + 2)
    share = (mean / step).subs(theta, pi / (m + 2))
    require(is_identity(share, pi**2 / 2), "a mean distance of so many steps", share)
    with precision(64):
        constant = 1 + arb.pi() ** 2 / 2
        require(constant <= 6 and constant > 5, "the constant 6", constant)
        shares = [_worst(order) for order in effort.pick((1, 4, 16), (1, 4, 16, 64))]
        require(all(share <= 1 for share in shares), "mean distances below the bound", shares)
    shown = ", ".join(f"{float(share):.3f}" for share in shares)
    return f"constant 6; error at 0 of the worst F over that bound, m = 1, 4, 16, ...: {shown}"


def _worst(m: int) -> arb:
    r"""Return the mean of :math:`|\sin t|` over :math:`\pi^2 / (2 (m + 2))`.

    It is the error at 0 for :math:`F = |x|`, the worst function of slope at most 1 there.
    """
    theta = arb.pi() / (m + 2)
    a = [((j + 1) * theta).sin() for j in range(m + 1)]
    whole = sum((value**2 for value in a), arb(0))
    total = arb(1)
    for lag in range(2, m + 1, 2):
        shared = sum((one * two for one, two in zip(a, a[lag:], strict=False)), arb(0))
        total += 2 * shared / whole / (1 - lag**2)
    first = sum((one * two for one, two in pairwise(a)), arb(0)) / whole
    require(first.overlaps(theta.cos()), "a mean cosine of cos theta", (first, theta.cos()))
    distance = 2 / arb.pi() * total
    second = sum((one * two for one, two in zip(a, a[2:], strict=False)), arb(0)) / whole
    require(distance >= (1 - second) / 2, "at least the mean of sin^2", distance)
    return distance / (arb.pi() * theta / 2)


@entry(
    "A.Lem42",
    title="The coefficients of a bounded polynomial",
    page="50",
    statement=r"If $|p| \le R$ on $[0, L]^d$ for p of degree $\ell$ and $L \ge 1$, the sum of the "
    r"absolute coefficients is at most $R (2 L (d + \ell))^{3 \ell}$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(
        "V. A. Markov: on an interval no polynomial of the same bound and degree has larger "
        "derivatives at an end than Chebyshev's",
        "Chebyshev's differential equation",
    ),
    finding=Finding(
        Label.REMARK,
        r"$R (2 L (d + \ell))^{3 \ell}$, cited",
        r"$R \binom{d + \ell}{\ell} (2 \ell^2)^\ell$, without L",
        r"One variable after another: in each, a coefficient is at most that of "
        r"$T_\ell(2 x / L - 1)$, whose absolute values $t_k \le (4 \ell^2)^k / (2 k)!$ decrease "
        r"with L. So $|c_a| \le R \prod_i t_{a_i} \le R (2 \ell^2)^{|a|}$, and there are "
        r"$\binom{d + \ell}{\ell} \le (d + \ell)^\ell$ exponents.",
    ),
)
def coefficients(effort: Effort) -> str:
    """Decide the recursion of Chebyshev's coefficients and both bounds, and count exactly."""
    size, k, d = symbols("size k d", positive=True)
    # From the equation (x - x^2) y'' + (1/2 - x) y' + size^2 y = 0, by powers of x.
    ratio = (size**2 - k**2) / ((k + 1) * k + (k + 1) / 2)
    slack = 4 * size**2 / ((2 * k + 1) * (2 * k + 2)) - ratio
    require(is_identity(slack, 2 * k**2 / ((k + 1) * (2 * k + 1))), "a ratio below", slack)
    cubes = 8 * (d + size) ** 3 - 2 * size**2 * (d + size)
    require(is_nonnegative(cubes, {d: 1, size: 1}), "the printed bound", cubes)
    shown = []
    for degree in range(1, effort.pick(6, 10) + 1):
        values = _chebyshev(degree)
        for j in range(degree):
            follows = Fraction(2 * (degree**2 - j**2), (j + 1) * (2 * j + 1)) * values[j]
            require(values[j + 1] == follows, "the recursion", (degree, j))
        for j, value in enumerate(values):
            most = Fraction((4 * degree**2) ** j, factorial(2 * j))
            require(value <= most, "a coefficient below its bound", (degree, j))
            require(most <= (2 * degree**2) ** j, "the simple bound", (degree, j))
        require(sum(values) == chebyshevt_poly(degree, 3), "their sum, T(3)", degree)
        shown += [_total_share(values, count) for count in (1, 2, 3)]
    require(all(share <= 1 for share in shown), "sums below the bound", max(shown))
    return f"all d and degrees; largest share of the explicit bound {float(max(shown)):.3f}"


def _chebyshev(degree: int) -> list[int]:
    """Return the absolute coefficients of Chebyshev's polynomial on [0, 1], ascending."""
    x = sympy.Symbol("x")
    whole = sympy.Poly(chebyshevt_poly(degree, x), x).compose(sympy.Poly(2 * x - 1, x))
    slope = whole.diff(x)
    equation = sympy.Poly(x - x**2, x) * slope.diff(x) + degree**2 * whole
    equation += sympy.Poly(sympy.Rational(1, 2) - x, x) * slope
    require(equation.is_zero, "Chebyshev's equation", degree)
    values = [int(c) for c in reversed(whole.all_coeffs())]
    require(
        all((-1) ** (degree - j) * c > 0 for j, c in enumerate(values)), "signs in turn", degree
    )
    return [abs(c) for c in values]


def _total_share(values: list[int], dim: int) -> Fraction:
    """Return the sum of all products of total degree at most l, over the explicit bound."""
    degree, products = len(values) - 1, [1]
    for _ in range(dim):
        products = [
            sum(products[i] * values[j - i] for i in range(min(j + 1, len(products))) if j - i >= 0)
            for j in range(degree + 1)
        ]
    total, bound = sum(products), comb(dim + degree, degree) * (2 * degree**2) ** degree
    require(bound <= (2 * (dim + degree)) ** (3 * degree), "the printed bound", (degree, dim))
    return Fraction(total, bound)
