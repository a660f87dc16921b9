"""Section 3 of paper A, pages 23 and 24: what early stopping and the start from noise cost."""

from itertools import product

import sympy
from flint import arb, fmpq
from sympy import log, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Squared mean and eigenvalues of a covariance.
SHAPES: tuple[tuple[fmpq, tuple[fmpq, ...]], ...] = (
    (fmpq(4), (fmpq(1, 4),)),
    (fmpq(0), (fmpq(1, 10), fmpq(1))),
    (fmpq(9), (fmpq(1, 2), fmpq(3))),
    (fmpq(0), (fmpq(1, 100),)),
    (fmpq(4), (fmpq(99, 100),)),
)


def _check_logarithm() -> None:
    """Check that r - 1 - log r <= (r - 1)^2 for r >= 1/2: the least difference is 0, at r = 1."""
    r = symbols("r", positive=True)
    gap = (r - 1) ** 2 - (r - 1) + log(r)
    slope = (2 * r - 1) * (r - 1) / r
    require(is_identity(sympy.diff(gap, r), slope), "a slope with the sign of r - 1", slope)
    require(is_identity(gap.subs(r, 1), 0), "a least difference of 0")


def _check_squares(first: sympy.Expr, second: sympy.Expr) -> None:
    """Check that first x^2 + second y^2 <= first (x + y)^2."""
    x, y = symbols("x y")
    spare = first * (x + y) ** 2 - first * x**2 - second * y**2
    require(is_nonnegative(spare, {x: 0, y: 0}), "norms whose sum is R", spare)


def _radius(square: fmpq, values: tuple[fmpq, ...]) -> arb:
    return ball_of(square).sqrt() + ball_of(sum(((v - 1) ** 2 for v in values), fmpq(0))).sqrt()


@entry(
    "A.p23KL",
    title="What early stopping costs",
    page="23",
    statement=r"$KL(N_i^\delta \Vert N_i) \lesssim \delta^2 R^2 / \alpha^2$, hence "
    r"$TV(q_0, q_\delta) \lesssim \delta R / \alpha$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Def1", "A.Eq1"),
    uses=("Pinsker's inequality", "convexity of the total variation", r"$1 - e^{-x} \le x$"),
    finding=Finding(
        Label.REMARK,
        "an order of magnitude",
        r"$KL \le 2 \delta^2 R^2 / \alpha^2$ and $TV \le \delta R / \alpha$ for "
        r"$\delta \le \frac12 \log 2$",
        r"The ratio of variances is $r = 1 + u (1 / s - 1)$ with $u = 1 - e^{-2\delta} \le "
        r"\frac12$, so $r \ge \frac12$ and $r - 1 - \log r \le (r - 1)^2$; the means add at most "
        r"$\delta^2 \Vert \mu \Vert^2 / (2 \alpha)$. Own derivation.",
    ),
)
def early_stopping(effort: Effort) -> str:
    """Decide the steps, and enclose the divergence on instances."""
    _check_logarithm()
    s, u, delta = symbols("s u delta", positive=True)
    # Half of u^2 |1 / s - 1|^2 with u = 2 delta at most.
    spectral = sympy.expand((2 * delta) ** 2 / (2 * delta**2))
    _check_squares(spectral, sympy.Rational(1, 2))
    ratio = ((1 - u) * s + u) / s
    require(is_identity(ratio - 1, u * (1 - s) / s), "the ratio of variances", ratio)
    require(is_identity(ratio - (1 - u), u / s), "a ratio of at least 1 - u", ratio)
    shares = []
    with precision(96):
        for (square, values), time in product(SHAPES, (fmpq(1, 100), fmpq(1, 20), fmpq(1, 3))):
            a, found = (-ball_of(time)).exp(), arb(0)
            require(2 * ball_of(time) <= arb(2).log(), "delta within log 2 / 2", time)
            alpha = min(*values, fmpq(1))
            worst = (1 - a) * (1 - a) * ball_of(square / alpha)
            for value in values:
                r = a * a + (1 - a * a) / ball_of(value)
                found += r - 1 - r.log()
            found = (found + worst) / 2
            reach = ball_of(time) * _radius(square, values) / ball_of(alpha)
            bound = int(spectral) * reach * reach
            require(found > 0 and found <= bound, "the bound", (found, bound))
            shares.append(found / bound)
    return f"{len(shares)} instances, at most {float(max(shares, key=float)):.3f} of the bound"


@entry(
    "A.p24KL",
    title="What the start from noise costs",
    page="24",
    statement=r"$KL(q_T \Vert \gamma) \lesssim e^{-2T} R^2$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Def1", "A.Eq1"),
    uses=("convexity of the divergence",),
    finding=Finding(
        Label.REMARK,
        "an order of magnitude",
        r"$KL(q_T \Vert \gamma) \le \frac12 e^{-2T} R^2$ for $T \ge \frac12 \log 2$",
        r"As before with $r - 1 = e^{-2T} (s - 1) \ge -\frac12$. Own derivation.",
    ),
)
def start_from_noise(effort: Effort) -> str:
    """Decide the steps, and enclose the divergence on instances."""
    _check_logarithm()
    _check_squares(sympy.Integer(1), sympy.Integer(1))
    s, e = symbols("s e", positive=True)
    require(is_identity(e * s + 1 - e - 1, e * (s - 1)), "the ratio of variances")
    require(is_identity(e * s + 1 - e - (1 - e), e * s), "a ratio of at least 1 - e")
    shares = []
    with precision(96):
        for (square, values), time in product(SHAPES, (fmpq(7, 20), fmpq(1), fmpq(3))):
            e_value = (-2 * ball_of(time)).exp()
            require(2 * ball_of(time) >= arb(2).log(), "T of at least log 2 / 2", time)
            found = e_value * ball_of(square)
            for value in values:
                r = e_value * ball_of(value - 1)
                found += r - (1 + r).log()
            radius = _radius(square, values)
            bound = e_value * radius * radius / 2
            require(found > 0 and found / 2 <= bound, "the bound", (found, bound))
            shares.append(found / 2 / bound)
    return f"{len(shares)} instances, at most {float(max(shares, key=float)):.3f} of the bound"
