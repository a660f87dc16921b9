"""Sections 1 and 1.1 of paper A: definition 1 to remark 4, the setting and the main theorem."""

from fractions import Fraction
from itertools import pairwise

import sympy
from flint import acb, arb, fmpq, fmpq_mat
from sympy import Expr, I, Matrix, exp, symbols

from symscore.exact import (
    ExactMixture,
    is_identity,
    project_score_all_levels,
    total_variation_bound,
)
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import is_semidefinite, scaled_identity
from symscore.exact.arithmetic.quadrature import integral
from symscore.exact.arithmetic.rational import Row, dot, entries
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Two components in the plane; (alpha, beta) are the extreme eigenvalues of the second covariance.
MEANS = ((fmpq(2), fmpq(0)), (fmpq(-3, 5), fmpq(4, 5)))
SPREADS = (
    scaled_identity(2, fmpq(1)),
    fmpq_mat([[fmpq(5, 4), fmpq(3, 4)], [fmpq(3, 4), fmpq(5, 4)]]),
)
ALPHA, BETA = fmpq(1, 2), fmpq(2)


def _is_within(spread: fmpq_mat, low: fmpq, high: fmpq) -> bool:
    bounds = (spread - scaled_identity(2, low), scaled_identity(2, high) - spread)
    return all(map(is_semidefinite, bounds))


def _spectra_within(low: fmpq, high: fmpq) -> bool:
    return all(_is_within(spread, low, high) for spread in SPREADS)


def _reach(mean: Row, spread: fmpq_mat) -> arb:
    """Return |m| + |Q - I|_F."""
    moved = entries(spread - scaled_identity(2, fmpq(1)))
    return ball_of(dot(mean, mean)).sqrt() + ball_of(dot(moved, moved)).sqrt()


@entry(
    "A.Def1",
    title="Well-conditioned mixtures",
    page="3",
    statement=r"$M = \sum_i \lambda_i N(\mu_i, Q_i)$ is $\tau$-well-conditioned if "
    r"$(\beta / \alpha) \log R \le \tau$ for some $\alpha \le 1 \le \beta$ and $R > 0$ with "
    r"$\alpha I \preceq Q_i \preceq \beta I$ and "
    r"$\Vert \mu_i \Vert + \Vert Q_i - I \Vert_F \le R$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
    finding=Finding(
        Label.REMARK,
        r"$R > 0$",
        r"$R \ge e$, say",
        r"For $R \le 1$ the logarithm is not positive and the condition holds with every "
        r"$\tau \ge 0$; bounds that carry $\log R$ are meant for large R.",
    ),
)
def well_conditioned(effort: Effort) -> str:
    """Decide it for two components, each constant the best, and that noise preserves it."""
    require(_spectra_within(ALPHA, BETA), "both spectra within [1/2, 2]")
    for low, high in ((ALPHA + fmpq(1, 1000), BETA), (ALPHA, BETA - fmpq(1, 1000))):
        require(not _spectra_within(low, high), "no constant to be improvable", (low, high))
    # A noised eigenvalue is (1 - A) q + A with A = 1 - a^2.
    low, value, shrink = symbols("low value shrink")
    spare = (1 - shrink) * value + shrink - low
    kept = (1 - shrink) * (value - low) + shrink * (1 - low)
    require(is_identity(spare, kept), "a noised eigenvalue between its bounds", spare)
    with precision(64):
        reaches = [_reach(m, q) for m, q in zip(MEANS, SPREADS, strict=True)]
        radius = arb.max(*reaches)
        require(radius < 3 and radius.log() > 0, "R between 1 and 3", radius)
        tau = ball_of(BETA / ALPHA) * radius.log()
        for a in (fmpq(1, 10), fmpq(3, 5), fmpq(9, 10)):
            for mean, spread in zip(MEANS, SPREADS, strict=True):
                moved = spread * (a * a) + scaled_identity(2, 1 - a * a)
                require(_is_within(moved, ALPHA, BETA), "noised spectra within [1/2, 2]", a)
                noised_reach = _reach(tuple(a * x for x in mean), moved)
                require(noised_reach <= a * radius, "a noised reach of a R at most", noised_reach)
    return (
        f"alpha = {ALPHA}, beta = {BETA}, R = {float(radius):.4f}: tau = {float(tau):.4f}, "
        "and no more at any noise level"
    )


@entry(
    "A.Thm2",
    title="General Gaussian mixtures are learned in polynomial time",
    page="3",
    statement=r"If $\lambda_{min} \ge 1 / poly(k)$, then $N = d^{poly(k \tau / \varepsilon)}$ "
    r"samples and time polynomial in N give a sampler within $\varepsilon$ in total variation.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Thm11",),
    reason="the polynomials are not stated",
    weaker="that for two components of different covariances the best polynomials of a degree at "
    "every level drive a sampler whose distance has a certified bound, smaller for degree 5 "
    "than for degree 1",
)
def main_theorem(effort: Effort) -> str:
    """Certify the distance of both samplers, with no unknown constant."""
    pair = ExactMixture(("1/3", "2/3"), ((-1,), ("3/2",)), (((1,),), (("1/2",),)))
    half = effort.pick(20, 60)
    times = [3 - 2 * i / half for i in range(half)] + [50 ** (-i / half) for i in range(half + 1)]
    alphas = [Fraction(round(1000 * float(sympy.exp(-t))), 1000) for t in times]
    bounds = {}
    for degree in (1, 5):
        levels = project_score_all_levels(pair, degree)
        fields = [levels.at(alpha).field for alpha in alphas[:-1]]
        bounds[degree] = total_variation_bound(pair, alphas, fields).upper
    require(bounds[5] < bounds[1], "a smaller distance with degree 5", bounds)
    require(bounds[5] < Fraction(2, 5), "a distance below .4", float(bounds[5]))
    shown = ", ".join(f"{float(value):.3f} with degree {d}" for d, value in bounds.items())
    return f"total variation in {len(alphas) - 1} steps at most {shown}"


@entry(
    "A.Eq1",
    title="The law of a noised mixture",
    page="6, 21",
    statement=r"$dx = -x \, dt + \sqrt2 \, dW$ gives $x_t = a x_0 + \sqrt{1 - a^2} \, z$ with "
    r"$a = e^{-t}$: means $a \mu_i$, covariances $a^2 Q_i + (1 - a^2) I$, the same weights.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    uses=(r"characteristic functions: $\varphi' = -u \cdot \nabla\varphi - |u|^2 \varphi$",),
)
def noised_law(effort: Effort) -> str:
    """Decide the equation for characteristic functions, and the mixture's parameters."""
    dim = effort.pick(2, 3)
    a = sympy.Symbol("a", positive=True)
    u, m = Matrix(symbols(f"u0:{dim}")), Matrix(symbols(f"m0:{dim}"))
    q = Matrix(dim, dim, lambda i, j: sympy.Symbol(f"q{min(i, j)}{max(i, j)}"))
    spread = a**2 * q + (1 - a**2) * sympy.eye(dim)
    log_function = I * a * u.dot(m) - (u.T * spread * u)[0, 0] / 2
    # The derivative by t = -log a.
    change = -a * sympy.diff(log_function, a)
    flow = -sympy.Add(*(x * sympy.diff(log_function, x) for x in u)) - u.dot(u)
    require(bool(sympy.expand(change - flow) == 0), "the equation", change - flow)
    start = I * u.dot(m) - (u.T * q * u)[0, 0] / 2
    require(bool(sympy.expand(log_function.subs(a, 1) - start) == 0), "the law at time 0")
    plane = q[:2, :2].subs({q[0, 0]: 2, q[1, 1]: 3, q[0, 1]: sympy.Rational(1, 2)})
    law = ExactMixture(("1/3", "2/3"), (tuple(m[:2]), (0, 1)), (plane.tolist(), ((1, 0), (0, 2))))
    noised, expected = law.at(a), a**2 * plane + (1 - a**2) * sympy.eye(2)
    require(noised.weights == law.weights, "the same weights", noised.weights)
    pairs = [*zip(noised.means[0], a * m[:2, 0], strict=True)]
    pairs += [(noised.covariances[0][i][j], expected[i, j]) for i in (0, 1) for j in (0, 1)]
    require(all(is_identity(x, y) for x, y in pairs), "means and covariances", pairs)
    return f"symbolic mean and covariance in dimension {dim}, {len(pairs)} parameters of a mixture"


def _bridge(step: Expr) -> tuple[Expr, Expr, Expr]:
    """Return the factors on y and on the score, and the variance of the noise, of one update."""
    rho = exp(step)
    return rho, 2 * (rho - 1), rho**2 - 1


@entry(
    "A.Eq2",
    title="The exponential integrator",
    page="7",
    statement=r"$y \leftarrow \rho y + 2 (\rho - 1) \hat s + \sqrt{\rho^2 - 1} \, z$ is, for "
    r"$\rho = e^\gamma$, the exact law at time $\gamma$ of $dY = (Y + 2 \hat s) \, d\tau + "
    r"\sqrt2 \, dW$ with a frozen $\hat s$.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.PROVED,
    uses=("a linear equation's law is normal, with mean and variance from their own equations",),
)
def exponential_integrator(effort: Effort) -> str:
    """Decide the equations of the mean and the variance, and that steps compose."""
    t, r, y, s = symbols("t r y s", positive=True)
    on_y, on_score, variance = _bridge(t)
    mean = on_y * y + on_score * s
    require(is_identity(sympy.diff(mean, t), mean + 2 * s), "the mean's equation", mean)
    require(is_identity(sympy.diff(variance, t), 2 * variance + 2), "the variance's equation")
    start = (mean.subs(t, 0), variance.subs(t, 0))
    require(is_identity(start[0], y) and is_identity(start[1], 0), "a start at y", start)
    after = _bridge(r)
    twice = after[0] * mean + after[1] * s
    whole = _bridge(t + r)
    require(is_identity(twice, whole[0] * y + whole[1] * s), "means to compose", twice)
    spread = after[0] ** 2 * variance + after[2]
    require(is_identity(spread, whole[2]), "variances to compose", spread)
    return "mean and variance solve their equations for all gamma; two steps make one"


@entry(
    "A.Prop3",
    title="The score is learned at every noise level",
    page="7",
    statement=r"An algorithm finds $\hat s_t$ with "
    r"$E \Vert \hat s_t - \nabla \log q_t \Vert^2 \le \varepsilon$ with high probability.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Prop49", "A.Prop51"),
    reason="informal; the number of samples is not stated (proposition 49 is the precise form)",
    weaker=r"that for $N(0, v)$ on the line the least-squares fit of the denoising loss by "
    r"$\hat s(x) = c x$ from n samples has $E \Vert \hat s - s \Vert^2 = (1 - b^2 / V) / "
    r"(b^2 (n - 2))$ with $V = a^2 v + b^2$, for every $n > 2$",
)
def learned_line(effort: Effort) -> str:
    """Decide the regression's algebra, and enclose E 1 / chi^2_n by an integral."""
    # Cov(x_t, -z / b) = -1: the best slope is -1 / V, that of the true score.
    v, a, b = symbols("v a b", positive=True)
    total = a**2 * v + b**2
    slope = -b / b / total
    residual = 1 / b**2 - slope**2 * total
    require(is_identity(residual, (1 - b**2 / total) / b**2), "the residual variance", residual)
    at = {a: sympy.Rational(3, 5), b: sympy.Rational(4, 5), v: 2}
    part = fmpq(*map(int, residual.subs(at).as_numer_denom()))
    shown = []
    with precision(64):
        for count in effort.pick((6, 12), (6, 12, 50, 200)):
            # E 1/chi^2 = int_0^inf (1 + 2 s)^(-n/2) ds = int_0^1 u^(n-3) du by u = (1+2s)^(-1/2).

            def power(u: acb, order: int = count - 3) -> acb:
                return u**order

            found = integral(power, [fmpq(0), fmpq(1)])
            log_ratio = (arb(count) / 2 - 1).lgamma() - (arb(count) / 2).lgamma()
            require(found.overlaps(log_ratio.exp() / 2), "a ratio of gamma functions", found)
            require(found.overlaps(ball_of(fmpq(1, count - 2))), "1 / (n - 2)", found)
            excess = found * ball_of(part)
            shown.append(f"{float(excess):.3g} for n = {count}")
    return f"mean square error for N(0, 2) at b = 4/5: {', '.join(shown)}"


def _moved(value: arb, a: arb) -> arb:
    """Return the squared distance by which noise moves a standard deviation."""
    change = (a * a * value + 1 - a * a).sqrt() - value.sqrt()
    return change * change


@entry(
    "A.Rem4",
    title="Degenerate covariances and early stopping",
    page="8",
    statement=r"Stopped at $\delta$, $M_\delta$ has components $N(e^{-\delta} \mu_i, e^{-2\delta} "
    r"Q_i + (1 - e^{-2\delta}) I)$ with eigenvalues $\ge 1 - e^{-2\delta}$, and "
    r"$W(M, M_\delta)$ is of the order $\delta (R + poly(\beta / \alpha))$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Eq1",),
    uses=(r"$1 - e^{-x} \le x$", "a coupling bounds the distance from above"),
    finding=Finding(
        Label.VACUOUS,
        r"a distance of the order $\delta (R + poly(\beta / \alpha))$",
        r"$W_2(M, M_\delta)^2 \le \delta^2 (R^2 + \beta d) + 2 \delta d$",
        r"$\beta / \alpha$ is infinite for the degenerate covariances that the remark is about. "
        r"There the distance is of the order $\sqrt\delta$: a point mass has "
        r"$W_2^2 = d (1 - e^{-2\delta})$. The remark is informal, and its use is not affected.",
    ),
)
def degenerate(effort: Effort) -> str:
    """Decide both cases of the coupling, and enclose it on degenerate instances."""
    p, h, a = symbols("p h a", positive=True)
    # Variance p^2 below 1 grows by h^2 = (1 - a^2)(1 - p^2): the root by h at most.
    require(bool(sympy.expand((p + h) ** 2 - (p**2 + h**2) - 2 * p * h) == 0), "growth below h")
    grown = a**2 * p**2 + 1 - a**2 - p**2
    require(is_identity(grown, (1 - a**2) * (1 - p**2)), "what a variance grows by", grown)
    # Above 1 it falls, to a^2 p^2 at least, so that the root falls by (1 - a) p at most.
    lost = p**2 - (a**2 * p**2 + 1 - a**2)
    require(is_identity(lost, (1 - a**2) * (p**2 - 1)), "what a variance loses", lost)
    floor = a**2 * p**2 + 1 - a**2 - (a * p) ** 2
    require(is_identity(floor, 1 - a**2), "least eigenvalue", floor)
    d, r, b, k = symbols("d r b k")
    spare = d**2 * (r**2 + b * k) + 2 * d * k - (d**2 * r**2 + k * (d**2 * b + 2 * d))
    require(bool(sympy.expand(spare) == 0), "a sum over coordinates", spare)
    shares, ratios = [], []
    with precision(96):
        for power in (2, 4, 6):
            delta = ball_of(fmpq(1, 10**power))
            factor = (-delta).exp()
            require(1 - factor <= delta and 1 - factor**2 <= 2 * delta, "1 - e^-x <= x", delta)
            for values in ((0, 0, 1), (0, fmpq(1, 2), 3), (0, 0, 0)):
                beta = max(*values, 1)
                square = (1 - factor) ** 2 * 4
                for value in values:
                    cost = _moved(ball_of(value), factor)
                    most = 1 - factor**2 if value <= 1 else (1 - factor) ** 2 * value
                    require(cost <= most or cost.overlaps(most), "a coordinate's cost", value)
                    square += cost
                bound = delta**2 * (4 + ball_of(beta) * 3) + 6 * delta
                require(square <= bound, "a squared distance below the bound", (square, bound))
                shares.append(square / bound)
            ratios.append(_moved(arb(0), factor).sqrt() / delta)
        for before, after in pairwise(ratios):
            require(after > 9 * before, "no linear order at a point mass", (before, after))
    shown = ", ".join(f"{float(x):.4g}" for x in ratios)
    return (
        f"W_2 / delta of a point mass: {shown} at delta = 1e-2, 1e-4, 1e-6; corrected: at most "
        f"{float(max(shares, key=float)):.4f} of the bound"
    )
