"""Section 3 of paper B: the two diffusions, their reversals, and the map between them."""

import sympy
from sympy import Expr, Symbol, sqrt, symbols

from symscore.exact import DifferentialField, ExactMixture, is_identity
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require


@entry(
    "B.VEVP",
    title="Variance exploding and variance preserving diffusions",
    page="18, 49",
    statement=r"$dy = dW$ and $dx = -x \, dt + \sqrt2 \, dW$ have the reverse drifts "
    r"$\nabla \ln p$ and $x + 2 \nabla \ln p$; $x_t = e^{-t} y_{e^{2t} - 1}$ in law, and "
    r"$\nabla \ln p^x_t(x) = e^t \, \nabla \ln p^y_{e^{2t} - 1}(e^t x)$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    uses=("a process with these drifts and its reversal satisfy the Fokker-Planck equations",),
)
def two_diffusions(effort: Effort) -> str:
    """Decide the equations for two components with symbolic parameters, and the map for all."""
    alpha = Symbol("alpha", positive=True)  # e^-t
    noise = sqrt(1 / alpha**2 - 1)
    require(is_identity(alpha * noise, sqrt(1 - alpha**2)), "equal noise in both laws")
    x, m, n = symbols("x m n")
    pair = ExactMixture(("1/3", "2/3"), ((m,), (n,)), (((2,),), (("1/2",),)))
    clean = pair.heat(noise**2).score(x / alpha)[0] / alpha
    require(is_identity(pair.at(alpha).score(x)[0], clean), "the scores' dictionary")
    _check_exploding()
    _check_preserving()
    return "4 Fokker-Planck equations and 2 dictionaries with symbolic means and weights"


def _check_exploding() -> None:
    """Check p' = p_xx / 2, and that the drift by the score runs it backwards."""
    x, t, m, n, v, w, first, second = symbols("x t m n v w first second")
    field = DifferentialField(
        [x, t, m, n, v, w], {first: _exponent(x, m, v + t), second: _exponent(x, n, v + t)}
    )
    half, spread = field.element(sympy.Rational(1, 2)), field.element(v + t)
    # The density without the factor (v + t)^(-1/2) that both components share.
    g = field.element(w * first + (1 - w) * second)
    change = field.diff(g, t) - half * g / spread
    curve = half * field.diff(g, x, 2)
    require(change == curve, "the forward equation dy = dW")
    score = field.diff(g, x) / g
    require(curve - field.diff(score * g, x) == -change, "the reverse of dy = dW")


def _check_preserving() -> None:
    """Check q' = (x q)_x + q_xx, and that the drift x + 2 s runs it backwards."""
    x, alpha, m, n, v, w, first, second = symbols("x alpha m n v w first second")
    variance = alpha**2 * v + 1 - alpha**2
    arguments = {
        first: _exponent(x, alpha * m, variance),
        second: _exponent(x, alpha * n, variance),
    }
    field = DifferentialField([x, alpha, m, n, v, w], arguments)
    place, level, spread = field.element(x), field.element(alpha), field.element(variance)
    g = field.element(w * first + (1 - w) * second)
    # The time's derivative is that by alpha = e^-t, times -alpha.
    shrink = level * field.diff(spread, alpha) / (spread + spread)
    change = shrink * g - level * field.diff(g, alpha)
    curve = field.diff(g, x, 2)
    require(change == field.diff(place * g, x) + curve, "the forward equation dx = -x dt + dW")
    score = field.diff(g, x) / g
    backward = curve - field.diff((place + score + score) * g, x)
    require(backward == -change, "the reverse of dx = -x dt + dW")


def _exponent(x: Expr, mean: Expr, variance: Expr) -> Expr:
    return -((x - mean) ** 2) / (2 * variance)
