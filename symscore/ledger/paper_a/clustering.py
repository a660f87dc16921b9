"""Section 4.3 of paper A, proposition 25 to page 35: clusters and inverses."""

from itertools import combinations, product

import sympy
from flint import arb, fmpq, fmpq_mat
from sympy import Expr, Matrix, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.exact.arithmetic.rational import entries
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require


@entry(
    "A.Prop25",
    title="Crude parameters are enough to cluster",
    page="34",
    statement=r"Under (16), with $\Delta^\mu_{out} \ge 6 \max(\sqrt\upsilon, \sqrt{\beta "
    r"k})$: some "
    r"explicit c(x) has $P_{N_i}[c \ne t] \le k^3 \exp(-\Omega("
    r"(\Delta^\mu_{out})^2 / (\alpha \sqrt k) \wedge "
    r"\alpha^6 (\Delta^Q_{out})^2 / (\beta^6 \upsilon_{cov}^2) \wedge "
    r"\alpha^2 \Delta^Q_{out} / \beta^3))$ for i in the cell t.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("A.Lem27", "A.Lem28", "A.Lem29"),
    uses=("two laws have no test whose two errors add up to less than their overlap",),
    finding=Finding(
        Label.REFUTED,
        r"first exponent $(\Delta^\mu_{out})^2 / (\alpha \sqrt k)$",
        r"first exponent $(\Delta^\mu_{out})^2 / (72 \beta)$, with the factor k/2, for the part by "
        "means; for that by covariances see lemmas 27 and 28",
        r"Three components, $\beta = 1$, exact estimates: means $\pm \frac{\Delta}{2} e_1$ for the "
        r"first two, $\Delta = 6 \sqrt 3$, the third like the first with $\frac12$ for n of the "
        r"ones in $Q = \operatorname{diag}(1, 1, \alpha, 1, \dots, 1)$. No rule tells the first "
        r"two apart better than $\Phi(-3 \sqrt 3)$, while $\alpha \to 0$ with "
        r"$\alpha^2 \sqrt n \to \infty$ makes the printed bound vanish.",
    ),
)
def crude_clusters(effort: Effort) -> str:
    """Prove the family for any constant by its exponents, and the corrected first exponent."""
    c, delta, beta = symbols("c Delta beta", positive=True)
    distance, exponents = delta / 2 - 2 * (delta / 6), []
    require(is_identity(distance**2 / (2 * beta), delta**2 / (72 * beta)), "72 beta")
    # While 3 c <= 1/2: the first exponent does not depend on c, and n makes the last one large.
    require(is_identity(c * 108 / (3 * c * sqrt(3)), 12 * sqrt(3)), "the first exponent")
    with precision(64):
        overlap = normal_tail(3 * arb(3).sqrt())
        for constant in (fmpq(1), fmpq(1, 100), fmpq(1, 10**6)):
            alpha = min(fmpq(1, 2), 3 * constant)
            ones = int((fmpq(50) / (constant * alpha**2)) ** 2 + 1)
            apart = ball_of(ones).sqrt() / 2
            first = ball_of(constant * 108 / alpha) / arb(3).sqrt()
            last = ball_of(constant * alpha**2) * apart
            exponent = arb.min(first, last)
            exponents.append(exponent)
            require(27 * (-exponent).exp() < overlap, "a bound below the error of every rule", last)
        shown = 27 * (-arb.min(*exponents[:1], *exponents[1:2])).exp()
    return (
        f"every rule errs with {float(overlap):.3g}; the printed bound is below {float(shown):.3g}"
    )


@entry(
    "A.Lem26",
    title="Inverses of crude covariances with raised eigenvalues",
    page="35",
    statement=r"If $\Vert Q - \hat Q \Vert_F \le \upsilon$, $Q \succeq \alpha I$, $\hat Q "
    r"\succeq 0$,"
    r" and $Q'$ is $\hat Q$ with its eigenvalues raised to $\alpha / 2$ at least, then "
    r"$\Vert Q'^{-1} - Q^{-1} \Vert_F \le 4 \upsilon / \alpha^2$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(r"$\Vert X Y Z \Vert_F \le \Vert X \Vert_{op} \Vert Y \Vert_F \Vert Z \Vert_{op}$",),
    finding=Finding(
        Label.REMARK,
        r"$4 \upsilon / \alpha^2$",
        r"$2 \upsilon / \alpha^2$, attained, for every symmetric $\hat Q$",
        r"Raising is the nearest point among all $X \succeq \frac{\alpha}{2} I$, and Q is one of "
        r"them: $\Vert Q' - Q \Vert_F \le \Vert \hat Q - Q \Vert_F$. Own derivation.",
    ),
)
def raised_inverse(effort: Effort) -> str:
    """Decide both steps with symbols, that the constant is attained, and exact instances."""
    p, q = symbols("P Q", commutative=False)
    left = sympy.expand(p**-1 * (q - p) * q**-1)
    require(bool(left == p**-1 - q**-1), "the difference of inverses", left)
    dim = effort.pick(2, 3)
    level, gaps, values = symbols("level"), symbols(f"g0:{dim}"), symbols(f"l0:{dim}")
    target = Matrix(dim, dim, lambda i, j: sympy.Symbol(f"q{min(i, j)}{max(i, j)}"))
    for low in product((False, True), repeat=dim):
        # In the eigenbasis of the estimate: level - g below the level, the others as they are.
        pairs = list(zip(low, gaps, values, strict=True))
        before = sympy.diag(*(level - g if is_low else v for is_low, g, v in pairs))
        after = sympy.diag(*(level if is_low else v for is_low, _, v in pairs))
        gain = _norm(before - target) - _norm(after - target)
        # Not negative: g > 0, and the diagonal of Q is at least alpha, twice the level.
        own = [(target[i, i], g) for i, (is_low, g, _) in enumerate(pairs) if is_low]
        kept = sympy.Add(*(g**2 + 2 * g * (diagonal - level) for diagonal, g in own))
        require(bool(sympy.expand(gain - kept) == 0), "the nearest point", low)
    alpha = fmpq(1, 3)
    upsilon, error = alpha / 2, 1 / (alpha / 2) - 1 / alpha
    require(error == 2 * upsilon / alpha**2, "a constant that is attained", error)
    shares = list(_inverse_shares(effort.pick(4, 8)))
    require(max(shares) <= 1, "the bound on instances", max(shares))
    return f"attained on the line; {len(shares)} planes, at most {float(max(shares)):.3f} (squared)"


def _norm(matrix: Matrix) -> Expr:
    return sympy.Add(*(x**2 for x in matrix))


def _inverse_shares(count: int) -> list[fmpq]:
    """Return what part of the squared bound the squared error is, Q with eigenvalues 1 and 2."""
    turn = fmpq_mat([[fmpq(3, 5), fmpq(4, 5)], [fmpq(-4, 5), fmpq(3, 5)]])
    truth, alpha, shares = fmpq_mat([[1, 0], [0, 2]]), fmpq(1), []
    for i, j in product(range(-count, count + 1), repeat=2):
        values = [fmpq(i, 3), fmpq(j, 2)]
        guess, raised = (
            turn * fmpq_mat([[a, 0], [0, b]]) * turn.transpose()
            for a, b in (values, [max(value, alpha / 2) for value in values])
        )
        wrong = sum((x * x for x in entries(guess - truth)), fmpq(0))
        error = sum((x * x for x in entries(raised.inv() - truth.inv())), fmpq(0))
        shares.append(error / (4 * wrong / alpha**4))
    return shares


@entry(
    "A.p35id",
    title="Means of the test between two covariances",
    page="35",
    statement=r"$\Lambda_{ij} = (x - \hat\mu)^T \hat K_j (x - \hat\mu) - \langle Q_i, \hat K_j "
    r"\rangle$: $E_{N(\mu, Q)}[\Lambda_{ii} - \Lambda_{ij}] = \langle (\mu - \hat\mu)"
    r"(\mu - \hat\mu)^T + Q - Q_i, \hat K_i - \hat K_j \rangle$; and $\langle Q_j - Q_i, "
    r"Q_i^{-1} - "
    r"Q_j^{-1} \rangle = \operatorname{tr} Q_j Q_i^{-1} + \operatorname{tr} Q_i Q_j^{-1} - 2 d \ge "
    r"\Vert Q_j - Q_i \Vert_F^2 / \beta^2$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
)
def test_means(effort: Effort) -> str:
    """Decide the mean with symbols, and the trace in any dimension by words in matrices."""
    dim = effort.pick(2, 3)
    names = ("own", "first", "second", "base")
    q, k, h, base = (
        Matrix(dim, dim, lambda i, j, name=name: sympy.Symbol(f"{name}{min(i, j)}{max(i, j)}"))
        for name in names
    )
    offset = Matrix(symbols(f"m0:{dim}"))
    pairs = list(product(range(dim), repeat=2))
    second = {(i, j): q[i, j] + offset[i] * offset[j] for i, j in pairs}
    mean = sum((k - h)[i, j] * (second[i, j] - base[i, j]) for i, j in pairs)
    traced = ((offset * offset.T + q - base) * (k - h)).trace()
    require(bool(sympy.expand(mean - traced) == 0), "the mean of the test")
    p, s, e, f = symbols("P S E F", commutative=False)
    one, c = sympy.Integer(1), sympy.Symbol("c")
    words = sympy.expand((s - p) * (p**-1 - s**-1))
    require(bool(words == s * p**-1 + p * s**-1 - 2 * one), "three traces", words)
    # Under the trace it is D P^-1 D S^-1; with inverses c + E and c + F, c = 1 / beta:
    gap = symbols("D", commutative=False)
    same = sympy.expand(p**-1 * (s - p) * s**-1)
    require(bool(same == p**-1 - s**-1), "the difference of inverses", same)
    split = sympy.expand(gap * (c + e) * gap * (c + f))
    parts = c**2 * gap * gap + c * gap * e * gap + c * gap * gap * f + gap * e * gap * f
    require(bool(sympy.expand(split - parts) == 0), "a sum of traces of two psd matrices", split)
    shares = []
    for a, b in combinations((fmpq(1, 2), fmpq(1), fmpq(2), fmpq(3)), 2):
        beta, value = max(a, b), b / a + a / b - 2
        shares.append((b - a) ** 2 / beta**2 / value)
    require(max(shares) <= 1, "the bound on the line", max(shares))
    return f"mean for symbols, d = {dim}; trace for any d; on the line up to {max(shares)} of it"
