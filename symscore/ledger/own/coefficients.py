"""The coefficients of the flow's step: exact for means, balanced for every Gaussian."""

from fractions import Fraction

import sympy
from flint import acb, arb, fmpq
from sympy import symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision, within
from symscore.exact.arithmetic.quadrature import integral
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require

BITS = 64
REACH = 36  # of log s; beyond, an error is below e^-36 times a small constant


@entry(
    "own.StepRule",
    title="The coefficients that are balanced for every Gaussian",
    statement=r"With $D_1$ at $\kappa + a h$ the step moves means without error, and multiplies an "
    r"eigendirection of variance S by R(s), $s = \kappa^2 S$, where the flow multiplies by E(s); "
    r"$\varepsilon = \log(R / E)$ is O(s) at 0 and O(1/s) at infinity, and the mean over $\log S$ "
    r"of the error accumulated on a ladder of ratio q is $\frac1{2 \log q} \int \varepsilon \, "
    r"d \log s$, which has a zero in a for b = 1/5 and q = 1.2, 1.492, 1.794, 2.2.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.CERTIFIED,
    uses=("the intermediate value theorem",),
    proof="proof-step-rule",
)
def step_rule(effort: Effort) -> str:
    """Decide the formulas and the bounds' algebra; enclose the zero, and what is left at phases."""
    _check_means_and_factors()
    _check_ends()
    shown = []
    for q in effort.pick(
        (Fraction(373, 250),), tuple(map(Fraction, ("1.2", "1.492", "1.794", "2.2")))
    ):
        with precision(BITS):
            a = _zero(q)
            left = max(abs(_accumulated(q, a, Fraction(j, 8))).upper() for j in range(8))
            heun = abs(_accumulated(q, Fraction(1), Fraction(0), Fraction(1, 2)))
            require(200 * left < heun, "far less than Heun's method", (left, heun))
        shown.append(
            f"q = {float(q):g}: a = {float(a):.10f}, left {float(left):.1g} "
            f"(Heun {float(heun):.1g})"
        )
    return "; ".join(shown)


def _check_means_and_factors() -> None:
    """Decide that y - kappa m is multiplied by R, and that the flow multiplies it by E."""
    y, m, kappa, size, q, a, w = symbols("y m kappa S q a w", positive=True)
    h, r = (q - 1) * kappa, 1 + a * (q - 1)

    def denoiser(place: sympy.Expr, level: sympy.Expr) -> sympy.Expr:
        return m + level * size / (level**2 * size + 1) * (place - level * m)

    first = denoiser(y, kappa)
    last = denoiser(y + a * h * first, kappa + a * h)
    moved = y + h * ((1 - w) * first + w * last) - q * kappa * m
    s = kappa**2 * size
    factor = _factor(s, q, a, w)
    require(is_identity(moved, factor * (y - kappa * m)), "the step on a Gaussian")
    require(is_identity(a * h + kappa, r * kappa), "the stage's level")
    curve = kappa * m + sympy.sqrt(s + 1) * y
    require(is_identity(curve.diff(kappa), denoiser(curve, kappa)), "the flow on a Gaussian")


def _factor(s, q, a, w):  # type: ignore[no-untyped-def]
    """Return R(s), for expressions or balls."""
    r, first = 1 + a * (q - 1), s / (s + 1)
    return 1 + (q - 1) * (
        (1 - w) * first + w * (r * s / (r * r * s + 1)) * (1 + a * (q - 1) * first)
    )


def _check_ends() -> None:
    """Decide what the bounds on epsilon at both ends rest on."""
    s, q, a, w = symbols("s q a w", positive=True)
    r = 1 + a * (q - 1)
    u, v = 1 / (r**2 * s + 1), 1 / (s + 1)
    rest = (1 - w) * v + w * (1 - (1 - u) * (1 - (r - 1) * v / r))
    require(is_identity(q - _factor(s, q, a, w), (q - 1) * rest), "the rest at infinity")
    exact = (q**2 * s + 1) / (s + 1)
    require(is_identity(exact, 1 + (q**2 - 1) * s / (s + 1)), "the flow at 0")
    require(is_identity(q**2 / exact, 1 + (q**2 - 1) / (q**2 * s + 1)), "the flow at infinity")


def _w(a: Fraction, b: Fraction) -> Fraction:
    return 1 - a * b


def _end(q: Fraction, a: Fraction, b: Fraction) -> arb:
    r"""Return C with :math:`|\varepsilon(s)| \le C \min(s, 1 / s)` for all s, 0 <= w <= 1."""
    w, r = _w(a, b), 1 + a * (q - 1)
    low = (q - 1) * (1 - w + w * r * r) + (q * q - 1) / 2
    return ball_of(max(low, 2 * (q - 1) + (q * q - 1) / 2))


def _error(theta: arb, q: Fraction, a: Fraction, b: Fraction) -> arb:
    """Return epsilon at log s = theta."""
    s, ratio = theta.exp(), ball_of(q)
    step = _factor(s, ratio, ball_of(a), ball_of(_w(a, b)))
    return step.log() - ((ratio * ratio * s + 1) / (s + 1)).log() / 2


def _accumulated(q: Fraction, a: Fraction, phase: Fraction, b: Fraction = Fraction(1, 5)) -> arb:
    """Return the sum of errors over a ladder without ends, at a phase of its period."""
    period = 2 * ball_of(q).log()
    count = int(float(REACH / period)) + 1
    nodes = [(ball_of(phase) + j) * period for j in range(-count, count + 1)]
    # What is left out on either side is a geometric series of ratio q^-2.
    rest = 2 * _end(q, a, b) * (-count * period).exp() / (1 - (-period).exp())
    return sum((_error(theta, q, a, b) for theta in nodes), arb(0)) + within(rest)


def _zero(q: Fraction) -> Fraction:
    """Return a rational within 1e-10 of a zero of the mean error, found in floats and enclosed."""
    from symscore.schedule import balanced_step

    a, width = Fraction(balanced_step(float(q)).a), Fraction(1, 10**10)
    below, above = _mean_error(q, a - width), _mean_error(q, a + width)
    require(below * above < 0, "a change of sign", (below, above))
    return a


def _mean_error(q: Fraction, a: Fraction) -> arb:
    r"""Return :math:`\int \varepsilon \, d\theta`, by parts, so that no logarithm is integrated."""
    b = Fraction(1, 5)
    ratio, point, w = ball_of(q), ball_of(a), ball_of(_w(a, b))
    r = 1 + point * (ratio - 1)

    def slope(theta: acb) -> acb:
        s = theta.exp()
        first, second = 1 / (s + 1) ** 2, r / (r * r * s + 1) ** 2
        lift = 1 + point * (ratio - 1) * s / (s + 1)
        by_s = (1 - w) * first + w * (
            second * lift + r * s / (r * r * s + 1) * point * (ratio - 1) * first
        )
        step = (ratio - 1) * by_s / _factor(s, ratio, point, w)
        flow = (ratio * ratio / (ratio * ratio * s + 1) - 1 / (s + 1)) / 2
        return theta * s * (step - flow)

    knots = [fmpq(4 * n) for n in range(-REACH // 4, REACH // 4 + 1)]
    ends = arb(REACH)
    boundary = ends * (_error(ends, q, a, b) + _error(-ends, q, a, b))
    rest = 2 * _end(q, a, b) * (-ends).exp()
    return boundary - integral(slope, knots) + within(rest)
