"""Section 6.2 of paper A: the softmax of quadratic forms, and a gated polynomial near a score."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import sympy
from flint import arb
from sympy import symbols

from symscore.exact import (
    DifferentialField,
    ExactMixture,
    Slabs,
    piecewise_error,
)
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require


@entry(
    "A.Prop40",
    title="A tight sub-mixture's score by a gated polynomial",
    page="50",
    statement=r"For m components within $\Delta$ of each other and estimates within $\upsilon$ "
    r"there is a polynomial of degree $\tilde O(\beta^2 m^2 \upsilon^5 \Delta^6 / "
    r"(\alpha^6 \varepsilon))$ which, inside a gate and with a linear fallback outside, is within "
    r"$\varepsilon$ of the score in the mean square.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Lem43", "A.Lem45", "A.Lem46"),
    reason="constants and logarithms in the degree are not stated",
    weaker="that for two components on the line a gated polynomial with the fallback has an error "
    "that falls geometrically with the degree: the degree grows like the error's logarithm",
    finding=Finding(
        Label.TYPO,
        r"fallback $+\hat K_j (x - \hat\mu_j)$",
        r"$-\hat K_j (x - \hat\mu_j)$",
        "The sign of the score in equation (3).",
    ),
)
def gated_polynomial(effort: Effort) -> str:
    """Certify the error of interpolants inside a gate and the fallback outside."""
    pair = ExactMixture(("4/7", "3/7"), ((0,), ("3/2",)), (((1,),), (("1/2",),)))
    low, high = Fraction(-4), Fraction(11, 2)
    cells, found = Slabs((1,), (low, high)), []
    for degree in effort.pick((12, 24), (8, 12, 16, 24, 32)):
        inside = enumerate(_near_score(low, high, degree))
        polynomial: dict[tuple[int, ...], Fraction] = {(k,): c for k, c in inside if c}
        fallback: dict[tuple[int, ...], Fraction] = {(1,): Fraction(-1)}
        error = piecewise_error(pair, cells, [[fallback], [polynomial], [fallback]], digits=8)
        found.append((degree, float(error.upper) ** 0.5))
    for (first, before), (second, after) in pairwise(found):
        least = before * (9 / 10) ** (second - first)
        require(after <= least, "an error that falls by a tenth with each degree", found)
    return "; ".join(f"degree {degree}: {error:.3g}" for degree, error in found)


def _near_score(low: Fraction, high: Fraction, degree: int) -> list[Fraction]:
    """Return coefficients in x of a polynomial near the pair's score between two ends."""

    def score(x: arb) -> arb:
        first = 4 * (-x * x / 2).exp()
        second = 3 * arb(2).sqrt() * (-((x - arb(3) / 2) ** 2)).exp()
        return -(first * x + second * (2 * x - 3)) / (first + second)

    return interpolant(score, low, high, degree)


def interpolant(
    f: Callable[[arb], arb], low: Fraction, high: Fraction, degree: int
) -> list[Fraction]:
    """Interpolate at Chebyshev's nodes, with coefficients rounded to rationals."""
    count = degree + 1
    with precision(120):
        angles = [arb.pi() * (2 * k + 1) / (2 * count) for k in range(count)]
        middle, radius = ball_of((low + high) / 2), ball_of((high - low) / 2)
        values = [f(middle + radius * angle.cos()) for angle in angles]
        series = [
            sum((v * (j * a).cos() for v, a in zip(values, angles, strict=True)), arb(0))
            * (2 if j else 1)
            / count
            for j in range(count)
        ]
        rounded = [Fraction(int((c * 2**60).mid().floor().unique_fmpz()), 2**60) for c in series]
    x = sympy.Symbol("x")
    inner = sympy.Poly((2 * x - _q(low + high)) / _q(high - low), x)
    one, two = sympy.Poly(1, x), inner
    total = sympy.Poly(0, x)
    for c in rounded:
        total += _q(c) * one
        one, two = two, 2 * inner * two - one
    return [Fraction(int(c.p), int(c.q)) for c in reversed(total.all_coeffs())]


def _q(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)


@entry(
    "A.Eq46",
    title="The softmax of a mixture",
    page="50",
    statement=r"$w_i(y; \theta) = \theta_i e^{y_i} / \sum_j \theta_j e^{y_j}$: with "
    r"$y_i = -\frac12 \Vert x - \mu_i \Vert^2_{K_i}$ and $\theta_i = \lambda_i \sqrt{\det K_i}$ "
    r"these are the posterior weights, they add up to 1, and a common change of all $y_i$ leaves "
    r"them alone.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
)
def softmax(effort: Effort) -> str:
    """Derive the score of two components in the plane with symbolic parameters."""
    x, tilts = symbols("x1:3"), symbols("tilt1:3")
    k = [symbols(f"k{i}_1:4") for i in (1, 2)]
    mu = [symbols(f"m{i}_1:3") for i in (1, 2)]
    theta, common = symbols("theta1:3"), symbols("common")
    pulls, arguments = [], {}
    for tilt, (a, b, c), mean in zip(tilts, k, mu, strict=True):
        gap = [one - two for one, two in zip(x, mean, strict=True)]
        pull = (a * gap[0] + b * gap[1], b * gap[0] + c * gap[1])
        pulls.append(pull)
        arguments[tilt] = -(gap[0] * pull[0] + gap[1] * pull[1]) / 2
    free = [*x, *k[0], *k[1], *mu[0], *mu[1], *theta, common]
    field = DifferentialField(free, arguments)
    parts = [field.element(t * tilt) for t, tilt in zip(theta, tilts, strict=True)]
    density = parts[0] + parts[1]
    weights = [part / density for part in parts]
    require(weights[0] + weights[1] == field.element(1), "weights that add up to 1")
    moved = [part * field.element(common) for part in parts]
    require(moved[0] / (moved[0] + moved[1]) == weights[0], "weights after a common change")
    for axis in range(2):
        score = field.diff(density, x[axis]) / density
        average = sum(
            (w * field.element(pull[axis]) for w, pull in zip(weights, pulls, strict=True)),
            field.element(0),
        )
        require(score == -average, "the score as an average", axis)
    return "two components in the plane, all parameters symbolic"
