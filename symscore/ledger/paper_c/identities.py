"""Rows C.7 to C.11: the objective of paper C and its gradient."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy
from flint import acb, arb
from sympy import Expr, Symbol, symbols, tanh

from symscore.exact import DifferentialField, is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require
from symscore.ledger.paper_c.line import line_loss, line_mean

SIMILAR = "derived here, as the text was not at hand; the paper's form may differ"
STUDENT = (
    r"With $w = \operatorname{softmax}(x \cdot \mu_i - |\mu_i|^2 / 2)$ and $g = \sum_i w_i \mu_i$, "
)
PAIR = (
    r"With $x \sim \frac12 N(\pm \mu^*, I)$, $u = \theta \cdot x$, $T = \tanh u$, "
    r"$q = |\theta|^2$, $p = \theta \cdot \mu^*$, "
)


@entry(
    "C.7",
    title="The denoising loss without the true score",
    statement=STUDENT + r"the score $s = g - x$ has $\operatorname{div} g = \sum_i w_i |\mu_i|^2 - "
    r"|g|^2$ and $E |s - s^*|^2 = E[2 \sum_i w_i |\mu_i|^2 - |g|^2 - 2 x \cdot g] + c$ under any "
    f"law of x with a score s^*, c not depending on the student ({SIMILAR}).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    uses=(r"Stein's identity $E[v \cdot s^*] = -E[\operatorname{div} v]$",),
)
def loss_without_score(effort: Effort) -> str:
    """Decide the divergence, and the integrand up to what no student changes, in the plane."""
    counts = effort.pick((2,), (2, 3))
    for count in counts:
        x = symbols("x1:3")
        places = [symbols(f"m{i}_1:3") for i in range(count)]
        gates = symbols(f"e0:{count}")
        exponents = {e: _dot(x, m) - _dot(m, m) / 2 for e, m in zip(gates, places, strict=True)}
        field = DifferentialField([*x, *(s for m in places for s in m)], exponents)
        total = sympy.Add(*gates)
        mean = [
            field.element(
                sympy.Add(*(e * m[j] for e, m in zip(gates, places, strict=True))) / total
            )
            for j in range(2)
        ]
        square = field.element(
            sympy.Add(*(e * _dot(m, m) for e, m in zip(gates, places, strict=True))) / total
        )
        slopes = [field.diff(g, s) for g, s in zip(mean, x, strict=True)]
        length = mean[0] * mean[0] + mean[1] * mean[1]
        require(slopes[0] + slopes[1] == square - length, "the divergence of g", count)
        parts = [field.element(s) for s in x]
        along = parts[0] * mean[0] + parts[1] * mean[1]
        score = [g - part for g, part in zip(mean, parts, strict=True)]
        divergence = field.diff(score[0], x[0]) + field.diff(score[1], x[1])
        whole = score[0] * score[0] + score[1] * score[1] + divergence + divergence
        rest = whole - (square + square - length - along - along)
        require(rest == field.element(_dot(x, x) - 2 * len(x)), "what is left free of means", count)
    return f"K = {', '.join(map(str, counts))} symbolic means in the plane"


def _dot(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> Expr:
    return sympy.Add(*(a * b for a, b in zip(left, right, strict=True)))


@entry(
    "C.8",
    title="The gradient by one of K means",
    statement=STUDENT + r"$\nabla_{\mu_i} L = E[w_i (4 \mu_i - 2 g - 2 x)] + "
    r"E[w_i (c_i - \bar c) (x - \mu_i)]$, $c_i = 2 |\mu_i|^2 - 2 (g + x) \cdot \mu_i$, "
    rf"$\bar c = \sum_j w_j c_j$, for L of C.7 ({SIMILAR}).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("C.7",),
    uses=("differentiation under the integral", "rotation into the span of the vectors"),
)
def mean_gradient(effort: Effort) -> str:
    """Differentiate the integrand; the other components enter through three sums, for every K."""
    dim = effort.pick(2, 3)
    x, m, first = symbols(f"x1:{dim + 1}"), symbols(f"m1:{dim + 1}"), symbols(f"a1:{dim + 1}")
    # Over the others: their gates, their gates times mu_j, and times |mu_j|^2.
    gate, mass, second = symbols("e b c")
    field = DifferentialField([*x, *m, *first, mass, second], {gate: _dot(x, m) - _dot(m, m) / 2})
    total = gate + mass
    g = [(gate * own + other) / total for own, other in zip(m, first, strict=True)]
    square = (gate * _dot(m, m) + second) / total
    integrand = field.element(2 * square - _dot(tuple(g), tuple(g)) - 2 * _dot(x, tuple(g)))
    both = tuple(own + place for own, place in zip(g, x, strict=True))
    own_c = 2 * _dot(m, m) - 2 * _dot(both, m)
    mean_c = 2 * square - 2 * _dot(both, tuple(g))
    for j in range(dim):
        pull = 4 * m[j] - 2 * g[j] - 2 * x[j] + (own_c - mean_c) * (x[j] - m[j])
        slope = field.diff(integrand, m[j])
        require(slope == field.element(gate / total * pull), "the gradient", j)
    return f"every K, vectors in {dim} dimensions"


def _hyperbolic() -> tuple[DifferentialField, dict[str, Any]]:
    """Return the field of u, q and tanh u, with T, its derivatives, the integrand and h."""
    u, q, e = symbols("u q e")
    field = DifferentialField([u, q], {e: 2 * u})
    t = field.element((e - 1) / (e + 1))
    place, square = field.element(u), field.element(q)
    slopes = [t]
    for _ in range(2):
        slopes.append(field.diff(slopes[-1], u))
    half = field.element(sympy.Rational(1, 2))
    integrand = square + square - square * t * t - (place * t + place * t)
    pull = t - half * square * slopes[2] + place * slopes[1]
    parts = {"u": u, "q": q, "t": t, "slope": slopes[1], "half": half}
    return field, parts | {"integrand": integrand, "pull": pull}


@entry(
    "C.9",
    title="For two components the loss is an integral on the line",
    statement=PAIR + r"$L(\theta) = E[2 q - q T^2 - 2 u T]$ with $u \sim N(p, q)$ in every "
    r"dimension, and $\nabla L = L_p \mu^* + 2 L_q \theta$ with $L_p = -2 E[h]$, "
    r"$L_q = 2 - E[T^2] - E[h']$, $h = T - \frac12 q T'' + u T'$ (derived here).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("C.7",),
    uses=(
        r"$\partial_p E f(u) = E f'$ and $\partial_q E f(u) = \frac12 E f''$ for $u \sim N(p, q)$",
    ),
)
def one_dimension(effort: Effort) -> str:
    """Decide the integrand, its symmetry and its derivatives; enclose a value at the truth."""
    theta, x = symbols("theta1:3"), symbols("x1:3")
    u, q, t = _dot(theta, x), _dot(theta, theta), tanh(_dot(theta, x))
    weights = [(1 + t) / 2, (1 - t) / 2]
    g = tuple((weights[0] - weights[1]) * s for s in theta)
    whole = 2 * (weights[0] + weights[1]) * q - _dot(g, g) - 2 * _dot(x, g)
    require(is_identity(whole, 2 * q - q * t**2 - 2 * u * t), "the integrand of C.7")
    share = sympy.exp(u) / (sympy.exp(u) + sympy.exp(-u))
    require(is_identity(weights[0], share), "the gate")
    line, size = symbols("u q")
    even = 2 * size - size * tanh(line) ** 2 - 2 * line * tanh(line)
    require(is_identity(even.subs(line, -line), even), "an even integrand")
    field, f = _hyperbolic()
    slope = field.diff(f["integrand"], f["u"])
    require(slope == -(f["pull"] + f["pull"]), "the derivative by p")
    by_q = field.diff(f["integrand"], f["q"]) + f["half"] * field.diff(slope, f["u"])
    two = field.element(2)
    require(by_q == two - f["t"] * f["t"] - field.diff(f["pull"], f["u"]), "the derivative by q")
    with precision(64):
        truth, apart = (line_loss(c, c * c) for c in (Fraction(1), Fraction(4, 5)))
        require(truth < apart, "a smaller loss at the truth", (truth, apart))
    return f"L = {float(truth):.8f} at the truth |mu| = 1, {float(apart):.8f} at .8 of it"


@entry(
    "C.10",
    title="The gradient for two components",
    statement=PAIR
    + r"$-\frac12 \nabla L = E[(T - \frac12 q T'' + u T') x] - E[T'] \theta - \theta$, "
    "under any law of x (derived here; the shape of the paper's gradient lemma, as recalled).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("C.9",),
    uses=(r"Stein's identity $E[h(u) x] = E[h] \mu^* + E[h'] \theta$, for the form of C.9",),
)
def pair_gradient(effort: Effort) -> str:
    """Differentiate the integrand by theta in the plane, and compare with C.9 by Stein."""
    theta, x, e = symbols("theta1:3"), symbols("x1:3"), Symbol("e")
    field = DifferentialField([*theta, *x], {e: 2 * _dot(theta, x)})
    u, q, t = field.element(_dot(theta, x)), field.element(_dot(theta, theta)), (e - 1) / (e + 1)
    value, one = field.element(t), field.element(1)
    slope = one - value * value
    curve = -(value * slope + value * slope)
    half = field.element(sympy.Rational(1, 2))
    integrand = q + q - q * value * value - (u * value + u * value)
    pull = value - half * q * curve + u * slope
    for own, place in zip(theta, x, strict=True):
        direction = pull * field.element(place) - (slope + one) * field.element(own)
        require(field.diff(integrand, own) == -(direction + direction), "the gradient", own)
    line, f = _hyperbolic()
    by_stein = line.diff(f["pull"], f["u"]) - f["slope"] - line.element(1)
    by_q = line.element(2) - f["t"] * f["t"] - line.diff(f["pull"], f["u"])
    require(by_stein == -by_q, "the factor of theta in C.9")
    return "symbolic theta and x in the plane, for every law of x"


@entry(
    "C.11",
    title="Gradient descent near expectation-maximisation",
    statement=PAIR + r"$-\frac12 \nabla L = (EM(\theta) - \theta) + E[T' ((u + q T) x - \theta)]$, "
    r"$EM(\theta) = E[T x] = E[T] \mu^* + E[T'] \theta$; $T' = \operatorname{sech}^2 u$ is "
    "exponentially small in the separation (derived here).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("C.10",),
    uses=("Stein's identity",),
)
def near_expectation_maximisation(effort: Effort) -> str:
    """Decide it from C.10, and enclose the gap relative to the EM step for growing separations."""
    x, theta = symbols("x theta")
    u, q, e = symbols("u q e")
    field = DifferentialField([u, q, x, theta], {e: 2 * u})
    t = field.element((e - 1) / (e + 1))
    slope = field.diff(t, u)
    place, own, line, size = (field.element(s) for s in (x, theta, u, q))
    pull = t - field.element(sympy.Rational(1, 2)) * size * field.diff(slope, u) + line * slope
    step, gap = t * place - own, slope * ((line + size * t) * place - own)
    require(pull * place - slope * own - own == step + gap, "the EM step and a gap")
    sizes = effort.pick((1, 2, 4), (1, 2, 3, 4, 6))
    with precision(64):
        gaps = [_relative_gap(Fraction(s)) for s in sizes]
        require(all(2 * b < a for a, b in pairwise(gaps)), "gaps that more than halve", gaps)
    shown = ", ".join(f"{float(value):.2g}" for value in gaps)
    return f"gap over EM step at theta = (.9 s, .3), mu = (s, 0): {shown} for s = {sizes}"


def _relative_gap(s: Fraction) -> arb:
    r"""Return the length of the gap over that of the EM step, theta = (.9 s, .3), mu = (s, 0)."""
    theta = (Fraction(9, 10) * s, Fraction(3, 10))
    p, q = theta[0] * s, theta[0] ** 2 + theta[1] ** 2
    size = ball_of(q)
    grow = 40 * (1 + int(p) ** 2 + int(q) ** 2)

    def sech(u: acb) -> acb:
        return 1 - u.tanh() ** 2

    def factor(u: acb) -> acb:
        return sech(u) * (u + size * u.tanh())

    def factor_slope(u: acb) -> acb:
        return sech(u) * (1 + size * sech(u) - 2 * u.tanh() * (u + size * u.tanh()))

    slope = line_mean(sech, p, q, grow)
    by_mean, by_own = line_mean(factor, p, q, grow), line_mean(factor_slope, p, q, grow) - slope
    step = line_mean(lambda u: u.tanh(), p, q, grow)
    gap = _length(by_mean * ball_of(s) + by_own * ball_of(theta[0]), by_own * ball_of(theta[1]))
    moved = _length(
        step * ball_of(s) + (slope - 1) * ball_of(theta[0]), (slope - 1) * ball_of(theta[1])
    )
    return gap / moved


def _length(x: arb, y: arb) -> arb:
    return (x * x + y * y).sqrt()
