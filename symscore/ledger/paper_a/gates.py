"""Section 6.2 of paper A: how large the inputs of a cell's softmax are, and gates on them."""

from fractions import Fraction
from itertools import product

import sympy
from flint import arb
from sympy import Matrix, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import as_fmpq, ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import form_deviation, normal_tail
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# On the line: of B, of what multiplies z, and of the constant.
FORMS: tuple[tuple[Fraction | int, ...], ...] = (
    (1, 0, 0),
    (0, 1, 0),
    (1, 1, 0),
    (-1, 2, 1),
    (1, Fraction(1, 3), -2),
    (-2, 1, Fraction(1, 2)),
)
FIRST, SECOND = 12, 4  # constants of the gates


def symmetric(name: str) -> Matrix:
    """Return a symmetric matrix of symbols, (2, 2)."""
    a, b, c = symbols(f"{name}1:4")
    return Matrix([[a, b], [b, c]])


def square(matrix: Matrix, vector: Matrix) -> sympy.Expr:
    """Return the square of a vector's norm in a matrix."""
    return (vector.T * matrix * vector)[0, 0]


@entry(
    "A.Lem44",
    title="The difference of two quadratic forms of a Gaussian",
    page="51",
    statement=r"For $x \sim N(\mu_1, Q_1)$, with probability $1 - \delta$: $\big| \Vert x - "
    r"\hat\mu_2 \Vert^2_{\hat K_2} - \Vert x - \hat\mu_3 \Vert^2_{\hat K_3} - \langle Q_1, "
    r"\hat K_2 - \hat K_3 \rangle \big| \lesssim \beta \Vert \hat K_2 - \hat K_3 \Vert_F "
    r"\log(1/\delta) + \dots$, with further terms from the means.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    uses=(
        r"$P(z^T B z - \operatorname{tr} B \ge 2 \Vert B \Vert_F \sqrt x + "
        r"2 \Vert B \Vert_{op} x) \le e^{-x}$ (Laurent and Massart)",
        r"$P(Z > \sqrt{2 x}) \le e^{-x}$",
    ),
    finding=Finding(
        Label.REMARK,
        "unspecified constants",
        r"at most $2 \Vert B \Vert_F \sqrt x + 2 \Vert B \Vert_{op} x + 2 \sqrt{2 x} \, \Vert v "
        r"\Vert + | \Vert a_2 \Vert^2_{\hat K_2} - \Vert a_3 \Vert^2_{\hat K_3} |$ with "
        r"probability $1 - 4 e^{-x}$",
        r"$B = Q_1^{1/2} (\hat K_2 - \hat K_3) Q_1^{1/2}$, $a_i = \mu_1 - \hat\mu_i$, "
        r"$v = Q_1^{1/2} (\hat K_2 a_2 - \hat K_3 a_3)$.",
    ),
)
def forms(effort: Effort) -> str:
    """Decide the decomposition for matrices of symbols, and enclose exact probabilities."""
    root, second, third = symmetric("h"), symmetric("k"), symmetric("l")
    z, a, b = (Matrix(symbols(f"{name}1:3")) for name in ("z", "a", "b"))
    inner = root * (second - third) * root
    left = square(second, root * z + a) - square(third, root * z + b)
    left -= (root * root * (second - third)).trace()
    right = square(inner, z) - inner.trace() + 2 * (z.T * root * (second * a - third * b))[0, 0]
    right += square(second, a) - square(third, b)
    require(is_identity(left, right), "the decomposition")
    shares = []
    with precision(64):
        for form, x in product(FORMS, effort.pick((1, 4), (1, 2, 4, 9))):
            shares.append((_outside(form, arb(x)) * arb(x).exp() / 4, form, x))
        for share, form, x in shares:
            require(share <= 1, "a probability of at most 4 e^-x", (share, form, x))
        most = max(float(share) for share, _, _ in shares)
    return f"{len(shares)} forms on the line: probabilities up to {most:.3f} of 4 e^-x"


def _outside(form: tuple[Fraction | int, ...], x: arb) -> arb:
    """Return the probability that |b (z^2 - 1) + 2 v z + c| exceeds its bound."""
    b, v, c = map(ball_of, form)
    most = form_deviation(abs(b), abs(b), x) + 2 * (2 * x).sqrt() * abs(v) + abs(c)
    if b < 0:
        b, v, c = -b, -v, -c
    if b == 0:
        return normal_tail((most - c) / (2 * abs(v))) + normal_tail((most + c) / (2 * abs(v)))
    above = (v * v - b * (c - b - most)).sqrt()
    low, high = (-v - above) / b, (-v + above) / b
    total = normal_tail(high) + normal_tail(-low)
    below = v * v - b * (c - b + most)
    if below > 0:
        total += normal_tail((-v - below.sqrt()) / b) - normal_tail((-v + below.sqrt()) / b)
    else:
        require(below < 0, "a decided discriminant", below)
    return total


@entry(
    "A.Lem45",
    title="The inputs of a tight sub-mixture's softmax",
    page="52",
    statement=r"As printed, for components within $\Delta$ of each other and x from one of them, "
    r"with probability $1 - \delta$: the normalised inputs are $\lesssim \zeta_1 = \beta \Delta^2 "
    r"\alpha^{-2} \log(m / \delta)$ and $\Vert (Q_i^{-1} - Q_1^{-1})(x - \mu_i) \Vert \lesssim "
    r"\zeta_2 = \sqrt\beta \Delta^2 \alpha^{-2} \log(m / \delta)$; hence a polynomial of degree "
    r"$O(\zeta_1 \zeta_2 m^2 / \varepsilon)$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("A.Lem44", "A.Def10"),
    uses=(
        r"$\Vert K_j - K_1 \Vert_F \le \alpha^{-2} \Vert Q_j - Q_1 \Vert_F$",
        r"$P(\Vert A z \Vert \ge \Vert A \Vert_F + \sqrt{2 x} \Vert A \Vert_{op}) \le e^{-x}$",
    ),
    finding=Finding(
        Label.REFUTED,
        r"$\zeta_1$ and $\zeta_2$ with $\Delta^2$, without $\Delta \ge 1$",
        r"with $\max(\Delta, \Delta^2)$: at most $12 \beta \alpha^{-2} \max(\Delta, \Delta^2) x$ "
        r"and $4 \sqrt\beta \alpha^{-2} \max(\Delta, \Delta^2) x$ for $x = \log(5 m / \delta)$; "
        r"and the score is $-\sum_i w_i Q_i^{-1} (x - \mu_i)$",
        r"Unit components at 0 and $\Delta$, m = 2, $\delta = \frac12$: the input is "
        r"$\Delta^2 - 2 \Delta z$, of order $\Delta$; for every C, with $\Delta = 1 / (C \log 4)$, "
        r"it is within $C \Delta^2 \log 4$ with probability below 0.4. Harmless where "
        r"$\Delta \ge 1$. Corrected: in lemma 44, $\Vert B \Vert_F \le \beta \Delta / \alpha^2$, "
        r"$\Vert v \Vert \le 2 \sqrt\beta \Delta / \alpha$, the means contribute "
        r"$\Delta^2 / \alpha$ and the traces $\Delta^2 / \alpha^2$.",
    ),
)
def inputs(effort: Effort) -> str:
    """Decide the split of the score, the family for every constant, and the constants."""
    _check_split()
    gap, z, constant, rate = symbols("gap z constant rate", positive=True)
    value = (z - gap) ** 2 - z**2
    require(is_identity(value**2, 4 * gap**2 * (z - gap / 2) ** 2), "the input", value)
    # |value| <= C gap^2 log 4 says that z is in an interval of this length about gap / 2.
    length = constant * gap * rate
    require(is_identity(2 * gap * length / 2, constant * gap**2 * rate), "an interval", length)
    require(is_identity(length.subs(gap, 1 / (constant * rate)), 1), "of length 1", length)
    shown = []
    with precision(64):
        require((2 * arb.pi()).sqrt() > arb(5) / 2, "a density below 0.4")
        for size in effort.pick((1, 100), (1, 100, 10**6)):
            centre = 1 / (2 * size * arb(4).log())
            low, high = centre - arb(1) / 2, centre + arb(1) / 2
            found = normal_tail(low) - normal_tail(high)
            require(found < arb(2) / 5, "a probability below 0.4", found)
            shown.append(f"{float(found):.4f}")
            width = FIRST * 2 * size * arb(4).log() * arb(20).log() * centre
            held = 1 - normal_tail(width - centre) - normal_tail(width + centre)
            require(held > arb(1) / 2, "a probability of 1/2 in the corrected form", held)
        first = 2 + 2 + 4 * arb(2).sqrt() + 1 + 1
        require(first <= FIRST and first > FIRST - 1, "the constant 12", first)
        second = 1 + arb(2).sqrt() + 1
        require(second <= SECOND and second > SECOND - 1, "the constant 4", second)
        require(arb(10).log() > 1, "x above 1")
    return (
        f"C = 1, 100, ...: probabilities {', '.join(shown)} instead of 1/2; "
        f"corrected constants {FIRST} and {SECOND}"
    )


def _check_split() -> None:
    """Split the score of three components into differences from the first."""
    weights = symbols("w1:3")
    w = (*weights, 1 - weights[0] - weights[1])
    x = Matrix(symbols("x1:3"))
    k = [symmetric(name) for name in ("k", "l", "n")]
    mu = [Matrix(symbols(f"{name}1:3")) for name in ("a", "b", "c")]
    whole, split = sympy.zeros(2, 1), k[0] * (x - mu[0])
    for share, matrix, mean in zip(w, k, mu, strict=True):
        whole += share * matrix * (x - mean)
        split += share * ((matrix - k[0]) * (x - mean) - k[0] * (mean - mu[0]))
    require(all(is_identity(whole[i], split[i]) for i in range(2)), "the split of the score")


@entry(
    "A.Eq50",
    title="The gates of a cell",
    page="54",
    statement=r"$B = \bigwedge_j \{ V_{1, j} \le \theta_1, V_{2, j} \le \theta_2 \}$ with "
    r"$V_{1, j} = | \Vert x - \mu_j \Vert^2_{K_j} - \Vert x - \mu_1 \Vert^2_{K_1} - "
    r"\langle Q_1, K_j - K_1 \rangle |$ and $V_{2, j} = \Vert (K_j - K_1)(x - \mu_j) \Vert^2$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.CERTIFIED,
    depends_on=("A.Lem45",),
    finding=Finding(
        Label.TYPO,
        r"$\theta_2 = \Theta(\sqrt\beta \Delta^2 \alpha^{-2} \log)$",
        r"its square, as $V_2$ is a squared norm: B holds with probability $1 - \delta$ for "
        r"$\theta_1 = 12 \beta \alpha^{-2} \max(\Delta, \Delta^2) x$ and $\theta_2 = 16 \beta "
        r"\alpha^{-4} \max(\Delta^2, \Delta^4) x^2$ with $x = \log(5 m / \delta)$",
        r"With $Q_1 = \alpha I$, $Q_2 = 2 \alpha I$, equal means and $d = \alpha^{-2}$, "
        r"$\Delta = 1$ and $V_2 = \chi^2_d / 4 \alpha$ is of order $\alpha^{-3}$, and no multiple "
        r"of $\alpha^{-2}$ holds it. A later display has the square.",
    ),
)
def gates(effort: Effort) -> str:
    """Enclose the probability that gates of both sizes are open, in a family of any dimension."""
    alpha, r, size, rate = symbols("alpha r size rate", positive=True)
    k1, k2, d = 1 / alpha, 1 / (2 * alpha), alpha**-2
    require(is_identity(sqrt(d) * (2 * alpha - alpha), 1), "a diameter of 1")
    v1 = alpha * r * (k2 - k1) - alpha * d * (k2 - k1)
    v2 = (k2 - k1) ** 2 * alpha * r
    require(is_identity(v1, (d - r) / 2), "the first quantity", v1)
    require(is_identity(v2, r / (4 * alpha)), "the second quantity", v2)
    # The printed gate is open where chi^2 <= 4 alpha C d log, which is d / 2 for this alpha.
    least = (4 * alpha * size * d * rate / d).subs(alpha, 1 / (8 * size * rate))
    require(is_identity(least, sympy.Rational(1, 2)), "half the mean", least)
    shown = []
    with precision(512):
        x = arb(20).log()
        for n in effort.pick((12, 24), (12, 24, 36)):  # 1 / alpha
            freedom = n * n
            first, second = FIRST * n**2 * x, SECOND**2 * n**4 * x**2
            require(2 * first > freedom, "a first gate that only a large chi^2 closes", first)
            closed = _above(freedom, freedom + 2 * first) + _above(freedom, second * 4 / n)
            require(closed <= 2 * (-x).exp(), "a gate closed with probability 2 e^-x", closed)
            printed = 1 - _above(freedom, n**2 * arb(4).log() * 4 / n)
            require(printed < arb(1) / 2, "a printed gate that is closed", printed)
            require(printed <= ball_of(as_fmpq(Fraction(8, n * n))), "Chebyshev's bound", printed)
            shown.append(f"{float(printed):.3g}")
    return f"d = 144, ..., constant 1: the printed gate is open with probability {', '.join(shown)}"


def _above(freedom: int, value: arb) -> arb:
    """Return the probability that chi^2 with an even number of degrees of freedom is above."""
    if value < 0:
        return arb(1)
    term, total = arb(1), arb(0)
    for k in range(freedom // 2):
        total += term
        term *= value / 2 / (k + 1)
    return total * (-value / 2).exp()
