"""Section 6.2 of paper A: polynomials near the softmax, and its derivative."""

from fractions import Fraction

import sympy
from flint import arb
from sympy import symbols

from symscore.exact import DifferentialField, ExactMixture, SoftField, is_identity, sup_error
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_a.softmax import interpolant

# From the error over M to the degree, for inputs of at most 5: differences of at most 10.
DEGREES = {100: 15, 10_000: 31}
LARGEST = 5


@entry(
    "A.Lem43",
    title="Polynomials near the softmax of polynomials",
    page="50",
    statement=r"If $|r_i| \le L$ and $\Vert g_i \Vert \le M$ on X, a polynomial q in r of degree "
    r"$O(L M m^2 / \varepsilon)$ has $\Vert G w - G q \Vert \le \varepsilon$ on X, with "
    r"coefficients of sum $m \exp(\tilde O(L M m^2 / \varepsilon))$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Lem41", "A.Lem42"),
    reason="the constants in the degree and in the sum are not stated",
    weaker=r"that for m = 2, any G and any inputs with $|r_i| \le 5$ the degrees 15 and 31 "
    r"are enough for $\varepsilon = 10^{-2} M$ and $10^{-4} M$: they grow like the error's "
    "logarithm",
    finding=Finding(
        Label.REMARK,
        r"degree $O(L M m^2 / \varepsilon)$, by Jackson's theorem",
        r"for m = 2: $O(L \log(M / \varepsilon))$, by analyticity",
        r"$G w - G q = (g_1 - g_2)(w_1 - q_1)$ for $q_2 = 1 - q_1$, and "
        r"$w_1 = \frac12 + \frac12 \tanh \frac{r_1 - r_2}2$.",
    ),
)
def near_softmax(effort: Effort) -> str:
    """Certify the largest error of an odd interpolant of tanh, and that the one before fails."""
    g, h, w, q = symbols("g h w q")
    gap = (g * w + h * (1 - w)) - (g * q + h * (1 - q))
    require(is_identity(gap, (g - h) * (w - q)), "the difference of two averages", gap)
    # |g - h| <= 2 M, and w_1 - q_1 is half of what tanh differs by.
    pair = ExactMixture(("1/2", "1/2"), ((-1,), (1,)), (((1,),), ((1,),)))
    shown = []
    for inverse, degree in list(DEGREES.items())[: effort.pick(1, 2)]:
        found, lower = (_tanh_error(pair, count, inverse) for count in (degree, degree - 2))
        require(found[1] <= Fraction(1, inverse), "an error of at most epsilon / M", found)
        require(lower[0] > Fraction(1, inverse), "the interpolant before to fail", lower)
        jackson = LARGEST * 4 * inverse
        shown.append(f"degree {degree}: {float(found[1]):.2e} (L M m^2 / epsilon = {jackson})")
    return f"L = {LARGEST}: {'; '.join(shown)}"


def _tanh_error(pair: ExactMixture, degree: int, inverse: int) -> tuple[Fraction, Fraction]:
    """Enclose the largest error of an interpolant of tanh; the pair's score is -x + tanh x."""
    ends = Fraction(-LARGEST), Fraction(LARGEST)
    coefficients = interpolant(arb.tanh, *ends, degree)
    coefficients[1] -= 1
    field = SoftField.polynomial(coefficients)
    found = sup_error(pair, field, *ends, digits=len(str(inverse)))
    return found.lower, found.upper


@entry(
    "A.p51grad",
    title="The derivative of the softmax",
    page="51",
    statement=r"$\partial w_i / \partial y_j = w_i (\delta_{i j} - w_j)$, and "
    r"$\Vert \nabla w_i \Vert \le \sqrt m$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("A.Eq46",),
    finding=Finding(
        Label.REMARK,
        r"$\Vert \nabla w_i \Vert \le \sqrt m$",
        r"$\Vert \nabla w_i \Vert \le \sqrt2 \, w_i (1 - w_i) \le \frac1{2 \sqrt2}$; the Jacobian "
        r"has norm at most $\frac12$",
        r"$v^T J v$ is the variance of v under w, at most $\frac14 (\max v - \min v)^2 \le "
        r"\frac12 \Vert v \Vert^2$. Both are attained at m = 2, $w = \frac12$.",
    ),
)
def gradient(effort: Effort) -> str:
    """Derive the softmax, and decide the inequalities by their differences."""
    m = effort.pick(3, 5)
    y, e, theta = symbols(f"y1:{m + 1}"), symbols(f"e1:{m + 1}"), symbols(f"t1:{m + 1}")
    field = DifferentialField([*y, *theta], dict(zip(e, y, strict=True)))
    parts = [field.element(t * tilt) for t, tilt in zip(theta, e, strict=True)]
    total = sum(parts[1:], parts[0])
    w = [part / total for part in parts]
    for i in range(m):
        for j in range(m):
            right = w[i] * (field.element(int(i == j)) - w[j])
            require(field.diff(w[i], y[j]) == right, "the derivative", (i, j))
    others, v = symbols(f"u1:{m}"), symbols("v")
    rest = sympy.Add(*others)  # 1 - w_i
    excess = rest**2 - sympy.Add(*(u**2 for u in others))
    require(is_nonnegative(excess, dict.fromkeys(others, 0)), "at most 2 (1 - w_i)^2", excess)
    quarter = sympy.Rational(1, 4) - v * (1 - v)
    require(is_identity(quarter, (v - sympy.Rational(1, 2)) ** 2), "w (1 - w) at most 1/4")
    _check_variance()
    half = sympy.Rational(1, 2)
    steepest = half**2 * ((1 - half) ** 2 + half**2)
    require(is_identity(steepest, sympy.Rational(1, 8)), "a gradient that attains it", steepest)
    return f"m = {m}; norms at most 1 / (2 sqrt 2) and 1/2, attained"


def _check_variance() -> None:
    """Bound the variance of three numbers between two ends, and attain the bound."""
    p, q, low, high = symbols("p q low high")
    v, w = symbols("v1:4"), (p, q, 1 - p - q)
    mean = sympy.Add(*(a * b for a, b in zip(w, v, strict=True)))
    variance = sympy.Add(*(a * b**2 for a, b in zip(w, v, strict=True))) - mean**2
    slack = sympy.Add(*(a * (high - b) * (b - low) for a, b in zip(w, v, strict=True)))
    product = (high - mean) * (mean - low)
    require(is_identity(product - variance, slack), "a variance below a product", product)
    most = (high - low) ** 2 / 4 - product
    require(is_identity(most, (mean - (high + low) / 2) ** 2), "a product below a square", most)
    twice = 2 * (high**2 + low**2) - (high - low) ** 2
    require(is_identity(twice, (high + low) ** 2), "a square below two squares", twice)
    at = {p: sympy.Rational(1, 2), q: sympy.Rational(1, 2), v[0]: 1, v[1]: -1, v[2]: 0}
    require(is_identity(variance.subs(at), 1), "half of the squared norm", variance.subs(at))
