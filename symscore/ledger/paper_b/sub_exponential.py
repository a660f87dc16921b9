"""Appendices C and D of paper B: a little more noise, and sums of sub-exponential variables."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb, factorial

import sympy
from flint import arb
from sympy import E, Expr, Symbol, exp, log, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Dimensions, and variances added to 1.
_ADDED = ((10, "1/10"), (2, "1"), (40, "1/100"))


@entry(
    "B.LemC.1",
    title="Total variation under a little more noise",
    page="52",
    statement=r"With s the added variance, $TV(P_0, P_s) \le s \sqrt n / \sqrt2 \sigma_0^2$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=("Pinsker's inequality", "the data processing inequality"),
    finding=Finding(
        Label.REMARK,
        r"$s \sqrt n / \sqrt2 \sigma_0^2$",
        r"$s \sqrt n / 2 \sqrt2 \sigma_0^2$",
        "Pinsker's inequality is used for the L1 distance, which is twice this one.",
    ),
)
def more_noise(effort: Effort) -> str:
    """Decide the divergence's bound by a derivative, and certify exact distances."""
    x, n = symbols("x n", positive=True)  # x = s / sigma_0^2
    gap = log(1 + x) - (x - x**2 / 2)
    require(gap.subs(x, 0) == 0, "a gap that starts at 0")
    require(is_identity(gap.diff(x), x**2 / (1 + x)), "a gap that grows")
    divergence = n * (x - log(1 + x)) / 2  # of the noisier Gaussian from the other
    above = n * x**2 / 4
    require(is_identity(above - divergence, n * gap / 2), "a divergence below n x^2 / 4")
    require(is_identity(sqrt(above / 2), x * sqrt(n) / (2 * sqrt(2))), "half the printed bound")
    shown, shares = [], []
    with precision(80):
        for dim, ratio in effort.pick(_ADDED[:2], _ADDED):
            added = Fraction(ratio)
            distance = _distance(dim, added)
            square = (above / 2).subs({n: dim, x: sympy.Rational(ratio)})
            sharp = ball_of(Fraction(str(square))).sqrt()
            require(distance <= sharp, "a distance below half the printed bound", distance)
            shares.append(distance / sharp)
            shown.append(f"{float(distance):.5f} <= {float(sharp):.4f}")
        require(max(map(float, shares)) > 0.7, "a bound that is near", shares)
    return f"{', '.join(shown)}, half of the printed bound"


def _distance(dim: int, added: Fraction) -> arb:
    r"""Return the distance of N(0, I) and N(0, (1 + x) I) in an even dimension.

    The densities are equal where :math:`|z|^2 = n (1 + x) \log(1 + x) / x`.
    """
    edge = dim * ball_of(1 + added).log() * ball_of((1 + added) / added)
    return _below(dim, edge) - _below(dim, edge / ball_of(1 + added))


def _below(dim: int, edge: arb) -> arb:
    """Return the chi-squared distribution function for an even dimension."""
    half = edge / 2
    terms = (half**j / factorial(j) for j in range(dim // 2))
    return 1 - (-half).exp() * sum(terms, arb(0))


@entry(
    "B.Def2",
    title="Sub-exponential variables",
    page="53",
    statement=r"X is $(v^2, \alpha)$-sub-exponential if "
    r"$E e^{\lambda X} \le e^{\lambda^2 v^2 / 2}$ for $|\lambda| \le 1 / \alpha$. "
    r"An exponential variable less its mean is $(4, 2)$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
)
def sub_exponential(effort: Effort) -> str:
    """Decide the example by the sign of a derivative, and show that (1, 2) is not enough."""
    lam, t = Symbol("lam"), Symbol("t", positive=True)
    primitive = -exp((lam - 1) * t) / (1 - lam)
    require(is_identity(primitive.diff(t), exp((lam - 1) * t)), "the integral of e^(lam t - t)")
    require(is_identity(-primitive.subs(t, 0), 1 / (1 - lam)), "the moment generating function")
    require(is_identity(_gap(lam).diff(lam), lam * (3 - 4 * lam) / (1 - lam)), "the sign of lam")
    require(_gap(lam).subs(lam, 0) == 0, "equality at 0")
    with precision(64):
        half = [_log_mgf(Fraction(sign, 2)) for sign in (-1, 1)]
        require(all(value <= ball_of(Fraction(1, 2)) for value in half), "the bound at the ends")
        require(half[1] > ball_of(Fraction(1, 8)), "more than a variance of 1 allows", half[1])
        shown = ", ".join(f"{float(value):.4f}" for value in half)
    return f"log moments at -1/2 and 1/2: {shown}; bounds 0.5 for v^2 = 4, 0.125 for v^2 = 1"


def _gap(lam: Expr) -> Expr:
    """Return 2 lam^2 less the log moment; its derivative has lam's sign for lam <= 1/2."""
    return 2 * lam**2 + lam + log(1 - lam)


def _log_mgf(lam: Fraction) -> arb:
    """Return log E e^(lam X) for an exponential variable less its mean."""
    return -ball_of(lam) - ball_of(1 - lam).log()


@entry(
    "B.PropD.1",
    title="Moment generating function, tail and moments",
    page="53",
    statement=r"For centred X these are equivalent, up to constants: $E e^{\lambda X} \le "
    r"e^{\lambda^2 v^2 / 2}$ for $|\lambda| \le 1 / v$; $P(|X| \ge t) \le 2 e^{-c_1 t / v}$; "
    r"$\Vert X \Vert_p \le c_2 v p$ for integers p.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("B.Def2",),
    uses=("Markov's inequality", r"$p! \ge (p / e)^p$", r"$1 + x \le e^x$"),
    finding=Finding(
        Label.REMARK,
        "constants not stated",
        r"$c_1 = \frac12$, $c_2 = 4$, and the first again with $8 e v$ in place of v",
        "The constants are ours, and not the best. The tail must be two-sided.",
    ),
)
def equivalences(effort: Effort) -> str:
    """Decide the three arrows with explicit constants, and check an exponential variable."""
    t, v, lam, c, x = symbols("t v lam c x", positive=True)
    bound = (lam**2 * v**2 / 2 - lam * t).subs(lam, 1 / v)
    require(is_identity(-t / (2 * v) - bound, (t - v) / (2 * v)), "a tail for t >= v", bound)
    with precision(64):
        trivial = 2 * ball_of(-Fraction(1, 2)).exp()
        require(trivial > 1, "nothing to show for t <= v", trivial)
    for p in range(1, effort.pick(5, 9)):  # by parts, with K = v / c_1 = 2 v
        tail = exp(-t / (2 * v))
        whole = (-2 * v * t**p * tail).diff(t)
        require(is_identity(whole, t**p * tail - 2 * v * p * t ** (p - 1) * tail), "parts", p)
    shares = []
    for p in range(1, effort.pick(30, 80)):
        shares.append(Fraction(2 * factorial(p), (2 * p) ** p))
        step = Fraction(p + 1) * (2 * p) ** p / Fraction(2 * p + 2) ** (p + 1)
        require(step == Fraction(p, p + 1) ** p / 2, "the induction's step, at most 1/2", p)
    require(max(shares) == shares[0] == 1, "2 p! <= (2 p)^p, attained", shares[0])
    rest = 2 * x**2 - x**2 / (1 - x)  # x = |lam| c e <= 1/2, c = c_2 v
    require(is_identity(rest, x**2 * (1 - 2 * x) / (1 - x)), "the series from p = 2 on")
    again = 2 * c * E
    require(is_identity(lam**2 * again**2 / 2, 2 * (lam * c * E) ** 2), "the first again")
    require(is_identity(again.subs(c, 4 * v), 8 * E * v), "its constant")
    require([int(_centred(p)) for p in (2, 3, 4)] == [1, 2, 9], "derangements")
    moments = [_centred(p) for p in range(2, effort.pick(20, 40), 2)]
    orders = range(2, 2 * len(moments) + 1, 2)
    large = [m / Fraction(8 * p) ** p for m, p in zip(moments, orders, strict=True)]
    require(max(large) <= 1, "moments of the example, v = 2", max(large))
    return f"3 arrows; 2 p! = (2 p)^p for p = 1, {float(shares[1]):.2f} of it for p = 2"


def _centred(p: int) -> Fraction:
    """Return a moment of an exponential variable less its mean."""
    terms = (comb(p, j) * (-1) ** (p - j) * factorial(j) for j in range(p + 1))
    return Fraction(sum(terms))


@entry(
    "B.PropD.2",
    title="Sums of independent sub-exponential variables",
    page="53",
    statement=r"Sums of independent $(v_i^2, \alpha_i)$-sub-exponential variables are "
    r"$(\sum_i v_i^2, \max_i \alpha_i)$-sub-exponential.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Def2",),
)
def independent_sums(effort: Effort) -> str:
    """Decide the product of the bounds, and certify sums of scaled exponential variables."""
    count = effort.pick(3, 5)
    lam, v = Symbol("lam"), symbols(f"v0:{count}", positive=True)
    each = sympy.Mul(*(exp(lam**2 * a**2 / 2) for a in v))
    whole = exp(lam**2 * sympy.Add(*(a**2 for a in v)) / 2)
    require(is_identity(each, whole), "the product of the bounds")
    shares = []
    with precision(64):
        for scales in effort.pick(((1, 1, 1), (1, 3)), ((1, 1, 1), (1, 3), (1, 2, 5), (7,))):
            most = Fraction(1, 2 * max(scales))
            square = 4 * sum(a * a for a in scales)
            for lam_value in (-most, -most / 3, most / 3, most):
                found = _log_sum(scales, lam_value)
                bound = ball_of(lam_value**2 * square / 2)
                require(found <= bound, "a log moment below the bound", (scales, lam_value))
                shares.append(float(found) / float(bound))
        narrow = _log_sum((1, 3), Fraction(33, 100)), ball_of(Fraction(33, 100) ** 2 * 20)
        require(narrow[0] > narrow[1], "a violation beyond 1 / max alpha", narrow)
    return (
        f"{count} symbolic variances; exponential variables: at most {max(shares):.3f} of the "
        f"bound, beyond 1 / max alpha {float(narrow[0]):.2f} > {float(narrow[1]):.2f}"
    )


def _log_sum(scales: Sequence[int], lam: Fraction) -> arb:
    return sum((_log_mgf(lam * a) for a in scales), arb(0))


@entry(
    "B.PropD.3",
    title="Sums of dependent sub-exponential variables",
    page="53",
    statement=r"Sums of n $(v_i^2, \alpha_i)$-sub-exponential variables are "
    r"$(n \sum_i v_i^2, n \max_i \alpha_i)$-sub-exponential, whatever their dependence.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Def2",),
    uses=("Hoelder's inequality for n factors",),
)
def dependent_sums(effort: Effort) -> str:
    """Decide the exponents, and certify n times one variable, where independence fails."""
    lam, most = Symbol("lam"), effort.pick(4, 7)
    for n in range(1, most):
        v = symbols(f"v0:{n}", positive=True)
        each = sympy.Mul(*(exp((n * lam) ** 2 * a**2 / 2 / n) for a in v))
        whole = exp(lam**2 * n * sympy.Add(*(a**2 for a in v)) / 2)
        require(is_identity(each, whole), "n-th roots of the bounds at n lam", n)
    shares = []
    with precision(64):
        for n in effort.pick((3,), (2, 3, 5)):
            square = n * 4 * n
            for sign in (-1, 1):
                lam_value = Fraction(sign, 2 * n)
                found, bound = _log_mgf(n * lam_value), ball_of(lam_value**2 * square / 2)
                require(found <= bound, "a log moment below the bound", (n, sign))
                shares.append(float(found) / float(bound))
        quarter = Fraction(1, 4)
        found, bound = _log_mgf(3 * quarter), ball_of(quarter**2 * 3 * 4 / 2)
        require(found > bound, "a violation of the bound for independent variables", found)
    return (
        f"n < {most}; n times one variable: at most {max(shares):.3f} of the bound; n = 3 against "
        f"that for independent ones: {float(found):.3f} > {float(bound):.3f}"
    )
