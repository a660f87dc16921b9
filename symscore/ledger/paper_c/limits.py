"""Rows C.12 to C.15: the objective of paper C between separated means, and far in the noise."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from math import comb

import sympy
from sympy import Expr, symbols

from symscore.exact import DifferentialField, ExactMixture, is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require
from symscore.ledger.paper_c.line import line_loss

# From the powers of p and q to the coefficient.
Series = Mapping[tuple[int, int], Fraction]


@entry(
    "C.12",
    title="With separated means the gradient step is the EM step",
    statement=r"$-\nabla_{\mu_i} L = 2 E[w_i (x - \mu_i)] + \sum_{j \ne i} E[w_i w_j (2 (\mu_j - "
    r"\mu_i) - (c_i - c_j) (x - \mu_i))]$, so that where one gate is nearly 1 the step "
    r"$\eta = 1 / (2 E w_i) = K / 2$ is nearly that of expectation-maximisation (derived here).",
    kind=Kind.EXISTENCE,
    outcome=Outcome.MEASURED,
    depends_on=("C.8",),
)
def nearly_expectation_maximisation(effort: Effort) -> str:
    """Decide the remainder, and measure it on three means in the plane as they move apart."""
    _check_remainder()
    from symscore.learn.ddpm import means as formulas
    from symscore.ledger.paper_c.plane import TRUTH, population, start

    gaps = []
    for scale in effort.pick((0.5, 1.0, 2.0), (0.5, 1.0, 1.5, 2.0)):
        x, weights = population(scale * TRUTH, step=0.15 / max(scale, 1.0))
        at = start(scale * TRUTH, 0.5, seed=0)
        moved = formulas.em_step(at, x, weights) - at
        gap = -len(at) / 2 * formulas.stein_gradient(at, x, weights) - moved
        gaps.append(float((gap**2).sum() / (moved**2).sum()) ** 0.5)
    require(gaps == sorted(gaps, reverse=True), "gaps that fall with the separation", gaps)
    require(gaps[-1] < 0.1 * gaps[0], "a tenth of the first gap at the end", gaps)
    shown = ", ".join(f"{gap:.2g}" for gap in gaps)
    return f"gap over EM step {shown}, the means' distances growing from 2 to 8; no chance involved"


def _check_remainder() -> None:
    """Decide the identity for three components, along one coordinate, from C.8's integrand."""
    x, others = symbols("x"), symbols("w2 w3")
    m, c = symbols("m1:4"), symbols("c1:4")
    w = (1 - others[0] - others[1], *others)
    g = sympy.Add(*(a * b for a, b in zip(w, m, strict=True)))
    mean_c = sympy.Add(*(a * b for a, b in zip(w, c, strict=True)))
    slope = w[0] * (4 * m[0] - 2 * g - 2 * x + (c[0] - mean_c) * (x - m[0]))
    rest = sympy.Add(
        *(w[0] * w[j] * (2 * (m[j] - m[0]) - (c[0] - c[j]) * (x - m[0])) for j in range(1, len(w)))
    )
    require(is_identity(-slope, 2 * w[0] * (x - m[0]) + rest), "the remainder", slope)


@entry(
    "C.13",
    title="The loss of a short student",
    statement=r"By order in $\theta$, $L = -2 p^2 + (q^2 + 3 p^2 q + \frac23 p^4) - "
    r"\frac2{15} (15 q^3 + 60 p^2 q^2 + 25 p^4 q + 2 p^6) + O(|\theta|^8)$ with p, q and L of C.9 "
    "(derived here).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("C.9",),
    uses=("Taylor's theorem for tanh, all of whose derivatives are bounded",),
)
def short_students(effort: Effort) -> str:
    """Take Gaussian moments of the Taylor series, and enclose the remainder on a student."""
    found = _series(6)
    for order, wanted in _STATED.items():
        got = {key: value for key, value in found.items() if key[0] + 2 * key[1] == order}
        require(got == wanted, f"the terms of order {order}", got)
    p, q = Fraction(1, 2), Fraction(3, 5)
    shares = []
    with precision(96):
        for j in range(2, effort.pick(5, 7)):
            h = Fraction(1, 2**j)
            value = sum((c * (p * h) ** a * (q * h * h) ** b for (a, b), c in found.items()))
            shares.append(
                (line_loss(p * h, q * h * h) - ball_of(Fraction(value))) / ball_of(h) ** 8
            )
        steps = [abs(a - b) for a, b in pairwise(shares)]
        falling = all(3 * b < a for a, b in pairwise(steps))
        require(falling, "remainders over h^8 that settle", shares)
    return f"orders 2, 4, 6; remainder over h^8 settles at {float(shares[-1]):.4f}"


_STATED = {
    2: {(2, 0): Fraction(-2)},
    4: {(0, 2): Fraction(1), (2, 1): Fraction(3), (4, 0): Fraction(2, 3)},
    6: {
        (0, 3): Fraction(-2),
        (2, 2): Fraction(-8),
        (4, 1): Fraction(-10, 3),
        (6, 0): Fraction(-4, 15),
    },
}


def _series(most: int) -> Series:
    """Return the mean of 2 q - q T^2 - 2 u T up to an order in theta, u ~ N(p, q)."""
    tangent = _tangent(most)
    square = [
        sum((tangent[i] * tangent[n - i] for i in range(n + 1)), Fraction(0))
        for n in range(most + 1)
    ]
    total: dict[tuple[int, int], Fraction] = {(0, 1): Fraction(2)}
    for n in range(most + 1):
        by_square, by_tangent = -square[n], -2 * (tangent[n - 1] if n else Fraction(0))
        for b in range(n // 2 + 1):
            # E u^n = sum over b of C(n, 2 b) (2 b - 1)!! p^(n - 2 b) q^b.
            count = comb(n, 2 * b) * int(sympy.factorial2(2 * b - 1)) if b else 1
            powers = (n - 2 * b, b)
            total[powers] = total.get(powers, Fraction(0)) + by_tangent * count
            raised = (n - 2 * b, b + 1)
            total[raised] = total.get(raised, Fraction(0)) + by_square * count
    return {
        key: value for key, value in total.items() if value != 0 and key[0] + 2 * key[1] <= most
    }


def _tangent(most: int) -> list[Fraction]:
    """Return Taylor's coefficients of tanh, from T' = 1 - T^2."""
    found = [Fraction(0)]
    for n in range(most):
        product = sum((found[i] * found[n - i] for i in range(n + 1)), Fraction(0))
        found.append((int(n == 0) - product) / (n + 1))
    return found


@entry(
    "C.14",
    title="Far in the noise descent is a power iteration",
    statement=r"For $\mu_t$ and $\theta$ of order h, $-\nabla L = 4 (\mu_t \mu_t^T - |\theta|^2 I) "
    r"\theta + O(h^5)$; the limit's zeros are 0 and $\pm \mu_t$ (derived here; the paper's "
    "normalisation may differ).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("C.13",),
    uses=("Taylor's theorem, as in C.13; a Taylor series may be differentiated term by term",),
)
def power_iteration(effort: Effort) -> str:
    """Sort the series of C.13 by order in h, differentiate its leading part, and find its zeros."""
    orders: dict[int, dict[tuple[int, int], Fraction]] = {}
    for (a, b), value in _series(effort.pick(8, 12)).items():
        orders.setdefault(2 * a + 2 * b, {})[a, b] = value
    require(min(orders) == 4, "a loss of order h^4", sorted(orders))
    # A term of order n in theta is of order n or more in h: none of order 4 is missed.
    theta, mu = symbols("theta1:4"), symbols("mu1:4")
    p, q = _dot(theta, mu), _dot(theta, theta)
    leading = sympy.Add(
        *(
            sympy.Rational(c.numerator, c.denominator) * p**a * q**b
            for (a, b), c in orders[4].items()
        )
    )
    field = DifferentialField([*theta, *mu])
    flow = [4 * (p * m - q * t) for m, t in zip(mu, theta, strict=True)]
    for own, direction in zip(theta, flow, strict=True):
        require(field.diff(leading, own) == -field.element(direction), "the gradient", own)
    # A zero has p p = q q (dot theta) and p m = q p (dot mu), m = |mu|^2: so either p = 0 and
    # theta = 0, or q = m and p p = q m, and then theta and mu are parallel with equal lengths.
    m = _dot(mu, mu)
    require(is_identity(_dot(flow, theta), 4 * (p**2 - q**2)), "the flow along theta")
    require(is_identity(_dot(flow, mu), 4 * p * (m - q)), "the flow along mu")
    apart = tuple(m * t - p * s for t, s in zip(theta, mu, strict=True))
    require(is_identity(_dot(apart, apart), m * (m * q - p**2)), "Lagrange's identity")
    later = min(order for order in orders if order > 4)
    return f"terms of order h^4 and h^{later} only; three coordinates, symbolic"


def _dot(left: tuple[Expr, ...] | list[Expr], right: tuple[Expr, ...]) -> Expr:
    return sympy.Add(*(a * b for a, b in zip(left, right, strict=True)))


@entry(
    "C.15",
    title="One family of students serves every noise level",
    statement=r"The law of $\alpha x_0 + (1 - \alpha^2)^{1/2} z$ for "
    r"$x_0 \sim \sum_i \lambda_i N(\mu_i, I)$ is $\sum_i \lambda_i N(\alpha \mu_i, I)$ (derived "
    "here).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    uses=("a law with these moments' generating function is that law",),
)
def closed_family(effort: Effort) -> str:
    """Decide the equation of the diffusion for the family, and the exponents of its transform."""
    x, alpha, m = symbols("x1:3"), symbols("alpha"), symbols("m1:3")
    e = symbols("e")
    gaps = tuple(place - alpha * centre for place, centre in zip(x, m, strict=True))
    field = DifferentialField([*x, *m, alpha], {e: -_dot(gaps, gaps) / 2})
    level, parts = field.element(alpha), [field.element(s) for s in x]
    density = field.element(e)
    # In time alpha = e^-t, so that d/dt = -alpha d/dalpha.
    change = -(level * field.diff(density, alpha))
    flux = [field.diff(density, s) + part * density for s, part in zip(x, parts, strict=True)]
    spread = field.diff(flux[0], x[0]) + field.diff(flux[1], x[1])
    require(change == spread, "the Fokker-Planck equation of dx = -x dt + sqrt(2) dW")
    k = symbols("k1:3")
    clean = alpha * _dot(k, m) + alpha**2 * _dot(k, k) / 2
    noise = (1 - alpha**2) * _dot(k, k) / 2
    require(is_identity(clean + noise, _dot(k, tuple(alpha * s for s in m)) + _dot(k, k) / 2), "it")
    rational = ExactMixture(("1/3", "2/3"), ((m[0], 0), (1, m[1])), (((1, 0), (0, 1)),) * 2)
    noisy = rational.at("3/5")
    require(noisy.covariances == rational.covariances, "unit covariances", noisy.covariances)
    shrunk = [
        all(is_identity(b, a * Fraction(3, 5)) for a, b in zip(*pair, strict=True))
        for pair in zip(rational.means, noisy.means, strict=True)
    ]
    require(all(shrunk), "means times alpha", noisy.means)
    return "symbolic means and level in the plane"
