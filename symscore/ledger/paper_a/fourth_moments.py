"""Section 4.2 of paper A, fact 19 and lemmas 20, 21: Gaussian quadratic forms."""

from collections.abc import Iterator
from itertools import product

import sympy
from flint import arb, fmpq, fmpq_mat
from sympy import Expr, Matrix, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import precision
from symscore.exact.arithmetic.quadratic_forms import (
    chi_square_tail,
    flattened_moment,
    form_deviation,
    form_variance,
    is_semidefinite,
    scaled_identity,
)
from symscore.exact.arithmetic.rational import column
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

HALF = sympy.Rational(1, 2)
# Offsets (zeta_1, zeta_2, mu_1, mu_2) and covariances in four dimensions; beta and upsilon.
OFFSET = (fmpq(1, 3), fmpq(-1, 2), fmpq(2, 3), fmpq(1, 6))
SPREAD = fmpq_mat([[2, 1, 0, fmpq(1, 2)], [1, 2, -1, 0], [0, -1, 2, 0], [fmpq(1, 2), 0, 0, 1]])
BETA, UPSILON = fmpq(7, 2), fmpq(5, 6)


@entry(
    "A.Fact19",
    title="Tails of quadratic forms (Hanson and Wright)",
    page="27",
    statement=r"If $\Vert A \Vert_F^2 / \Vert A \Vert_{op}^2 \ge r$ and $x \sim N(0, I)$, then "
    r"$P[x^T A x - \operatorname{tr} A > s \Vert A \Vert_F] \le "
    r"\exp(-\Omega(\min(s \sqrt r, s^2)))$, and so for the other tail.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    uses=("Markov's inequality", "a function whose derivative is not negative does not fall"),
    finding=Finding(
        Label.REMARK,
        r"$\exp(-\Omega(\min(s \sqrt r, s^2)))$",
        r"$\exp(-\min(s^2 / 16, s \sqrt r / 4))$; and for symmetric B, $P[z^T B z - "
        r"\operatorname{tr} B > 2 \Vert B \Vert_F \sqrt x + 2 \Vert B \Vert_{op} x] \le e^{-x}$",
        r"A may be replaced by its symmetric part, which has no larger norms. "
        r"$\log E e^{s (z^T B z - \operatorname{tr} B)} \le s^2 \Vert B \Vert_F^2 / "
        r"(1 - 2 s \Vert B \Vert_{op})$ term by term; then take "
        r"$s = \sqrt x / (\Vert B \Vert_F + 2 \Vert B \Vert_{op} \sqrt x)$.",
    ),
)
def quadratic_tails(effort: Effort) -> str:
    """Decide every step, and compare with two laws that have elementary tails."""
    u, root, f, b, s, r = symbols("u root f b s r", positive=True)
    # The two bounds of -log(1 - u) - u have slopes of one sign; all three vanish at 0.
    term = -sympy.log(1 - u) - u
    above = sympy.diff(u**2 / (2 * (1 - u)) - term, u)
    below = sympy.diff(u**2 / 2 - term, u)
    require(is_identity(above, u**2 / (2 * (1 - u) ** 2)), "a rising difference for 0 < u < 1")
    require(is_identity(below, -(u**2) / (1 - u)), "a falling difference for u < 0")
    rate = root / (f + 2 * b * root)
    exponent = rate**2 * f**2 / (1 - 2 * rate * b) - rate * (2 * f * root + 2 * b * root**2)
    require(is_identity(exponent, -(root**2)), "the exponent -x", exponent)
    require(is_identity(2 * sympy.sqrt(s**2 / 16), s / 2), "half of s from the first term")
    require(is_identity(2 * (s * sympy.sqrt(r) / 4) / sympy.sqrt(r), s / 2), "half of s")
    with precision(64):
        shares = []
        for step in range(1, effort.pick(7, 25)):
            # A chi square law of ten degrees of freedom, and the difference of two of two.
            shares.append(chi_square_tail(10, 10 + step * arb(10).sqrt()) / _claimed(step, 10))
            shares.append((-arb(step)).exp() / 2 / _claimed(step, 4))
            x = arb(step)
            sharp = chi_square_tail(10, 10 + form_deviation(arb(10).sqrt(), arb(1), x)) * x.exp()
            require(sharp <= 1, "at most e^-x", sharp)
            shares.append(sharp)
        require(all(share <= 1 for share in shares), "tails below the bound", shares)
    most = max(shares, key=float)
    return f"all steps; {len(shares)} tails of two laws, at most {float(most):.3f} of their bounds"


def _claimed(s: int, r: int) -> arb:
    return (-arb.min(arb(s) ** 2 / 16, s * arb(r).sqrt() / 4)).exp()


@entry(
    "A.Lem20",
    title="Fourth moments are nearly of rank one",
    page="28",
    statement=r"With $\mu_i - \hat\mu_i = \zeta + \mu_\perp$: $E_{N_i} \Psi_s(x - \hat\mu_i)$ "
    r"differs from the rank one matrices of $\operatorname{vec}(\Pi (Q + \zeta \zeta^T) \Pi)$, "
    r"$\operatorname{vec}(\Pi (Q + \zeta \mu_\perp^T) \Pi_\perp)$ and "
    r"$\operatorname{vec}(\Pi_\perp (Q + \mu_\perp \mu_\perp^T) \Pi_\perp)$ by "
    r"$\lesssim \beta^2 + \beta \upsilon$ in operator norm.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem21",),
    finding=Finding(
        Label.REMARK,
        r"$\lesssim \beta^2 + \beta \upsilon$",
        r"between 0 and $2 \beta^2 + 4 \beta \upsilon$, attained, as quadratic forms",
        r"On a test matrix A it is the variance of $z^T A z$, "
        r"$2 \operatorname{tr} (S Q)^2 + 4 m^T S Q S m$ with $S = (A + A^T) / 2$.",
    ),
)
def nearly_rank_one(effort: Effort) -> str:
    """Decide the variance in general by lemma 21, and the three blocks of an exact instance."""
    size = [range(2), range(2, 4)]
    require(sum(x * x for x in OFFSET) <= UPSILON, "an offset within upsilon", OFFSET)
    require(is_semidefinite(scaled_identity(4, BETA) - SPREAD), "a covariance below beta", SPREAD)
    whole, bound = flattened_moment(OFFSET, SPREAD), 2 * BETA**2 + 4 * BETA * UPSILON
    signal = SPREAD + column(OFFSET) * column(OFFSET).transpose()
    shares = []
    for first, second in ((0, 0), (0, 1), (1, 1)):
        chosen = list(product(size[first], size[second]))
        vector = column(tuple(signal[i, j] for i, j in chosen))
        places = [4 * i + j for i, j in chosen]
        moment = fmpq_mat([[whole[a, b] for b in places] for a in places])
        rest = moment - vector * vector.transpose()
        require(is_semidefinite(rest), "not below the rank one matrix", chosen)
        require(is_semidefinite(scaled_identity(4, bound) - rest), "within the bound", chosen)
        shares.append(_largest(rest, bound))
        form = fmpq_mat(4, 4)
        for number, (i, j) in enumerate(chosen):
            form[i, j] = fmpq(number + 1, 3)
        test = column(tuple(form[i, j] for i, j in chosen))
        value = (test.transpose() * rest * test)[0, 0]
        require(value == form_variance(form, OFFSET, SPREAD), "the variance of the form", chosen)
    _check_attained()
    return f"blocks 00, 01, 11 between 0 and {', '.join(shares)} of 2 beta^2 + 4 beta upsilon"


def _largest(matrix: fmpq_mat, bound: fmpq) -> str:
    """Return the least hundredth of the bound that the matrix stays below."""
    size = matrix.nrows()
    steps = range(1, 101)
    return str(
        next(n for n in steps if is_semidefinite(scaled_identity(size, bound * n / 100) - matrix))
        / 100
    )


def _check_attained() -> None:
    """Check that an offset along an eigenvector of beta attains the bound."""
    form, beta, offset = fmpq_mat([[1, 0], [0, 0]]), fmpq(3), (fmpq(2), fmpq(0))
    found = form_variance(form, offset, fmpq_mat([[beta, 0], [0, 1]]))
    require(found == 2 * beta**2 + 4 * beta * 4, "the bound to be attained", found)


@entry(
    "A.Lem21",
    title="The second moment of a Gaussian quadratic form",
    page="28",
    statement=r"$x \sim N(\mu, Q)$, any A, $B = Q^{1/2} A Q^{1/2}$: $E (x^T A x)^2 = "
    r"\langle A, Q \rangle^2 + 2 \Vert B \Vert_F^2 + \Vert Q^{1/2} A^T \mu \Vert^2 + "
    r"\Vert Q^{1/2} A \mu \Vert^2 + (\mu^T A \mu)^2 + 2 \mu^T A \mu \langle Q, A \rangle + "
    r"2 \operatorname{tr}(Q^{1/2} A \mu \mu^T A Q^{1/2})$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("Isserlis' theorem",),
    finding=Finding(
        Label.REFUTED,
        r"$2 \Vert B \Vert_F^2$, for any A",
        r"$\Vert B \Vert_F^2 + \operatorname{tr} B^2$, which is the same for symmetric A; and "
        r"$0 \le E (x^T A x)^2 - (\langle A, Q \rangle + \mu^T A \mu)^2 \le "
        r"2 \beta^2 \Vert A \Vert_F^2 + 2 \beta (\Vert A \mu \Vert^2 + \Vert A^T \mu \Vert^2)$",
        r"$A = e_1 e_2^T$, $Q = I$, $\mu = 0$: 1, where the printed form has 2. Only the constants "
        "of the lemmas that use it can change.",
    ),
)
def second_moment(effort: Effort) -> str:
    """Decide it for any two entries of A, in all patterns of their indices, with symbols."""
    patterns = list(_patterns())
    for i, j, k, n in patterns:
        # A square of a form in A is known once it is for any two entries; others have no part.
        size = max(i, j, k, n) + 1
        q = Matrix(size, size, lambda i, j: sympy.Symbol(f"q{min(i, j)}{max(i, j)}"))
        m, a = Matrix(symbols(f"m0:{size}")), sympy.zeros(size, size)
        a[i, j] += sympy.Symbol("s")
        a[k, n] += sympy.Symbol("t")
        wicks = _by_isserlis(a, q, m)
        require(bool(wicks == sympy.expand(_by_traces(a, q, m, 1))), "the form", (i, j, k, n))
    unit, none = sympy.eye(2), sympy.zeros(2, 1)
    one = Matrix([[0, 1], [0, 0]])
    exact, printed = _by_isserlis(one, unit, none), _by_traces(one, unit, none, 0)
    require(bool(exact == 1) and bool(printed == 2), "1 against 2", (exact, printed))
    symmetric = (one + one.T) / 2
    same = _by_isserlis(symmetric, unit, none) == _by_traces(symmetric, unit, none, 0)
    require(bool(same), "the printed form for a symmetric matrix")
    _check_bound()
    return f"all {len(patterns)} patterns of four indices; e_1 e_2^T: {exact}, printed {printed}"


def _patterns() -> Iterator[tuple[int, ...]]:
    """Yield all ways in which four indices can be equal: every new one is the next number."""
    for found in product(range(4), repeat=4):
        if all(index <= max(found[:place], default=-1) + 1 for place, index in enumerate(found)):
            yield found


def _by_isserlis(a: Matrix, q: Matrix, m: Matrix) -> Expr:
    """Return E (x^T A x)^2 from the moments of four coordinates, index by index."""
    size = range(a.rows)
    total = []
    for i, j, k, n in product(size, repeat=4):
        if (factor := a[i, j] * a[k, n]) == 0:
            continue
        pairs = q[i, j] * q[k, n] + q[i, k] * q[j, n] + q[i, n] * q[j, k]
        mixed = (
            m[i] * m[j] * q[k, n]
            + m[i] * m[k] * q[j, n]
            + m[i] * m[n] * q[j, k]
            + m[j] * m[k] * q[i, n]
            + m[j] * m[n] * q[i, k]
            + m[k] * m[n] * q[i, j]
        )
        total.append(factor * (pairs + mixed + m[i] * m[j] * m[k] * m[n]))
    return sympy.expand(sympy.Add(*total))


def _by_traces(a: Matrix, q: Matrix, m: Matrix, corrected: int) -> Expr:
    """Return the right side, with both squares of B or with twice the first."""
    centre, pull, push = (m.T * a * m)[0, 0], a * m, a.T * m
    norm, mirrored = (a * q * a.T * q).trace(), (a * q * a * q).trace()
    squares = norm + mirrored if corrected else 2 * norm
    rest = (pull.T * q * pull)[0, 0] + (push.T * q * push)[0, 0] + 2 * (push.T * q * pull)[0, 0]
    flat = (a * q).trace()
    return flat**2 + squares + rest + centre**2 + 2 * centre * flat


def _check_bound() -> None:
    """Check that beta I - Q, not negative, and the parallelogram give the bound."""
    q, s = symbols("Q S", commutative=False)
    c = sympy.Symbol("c")
    # With c for beta, every term on the left is a trace of a product of two such matrices.
    split = (c - q) * s * c * s + q * s * (c - q) * s
    norms = c**2 * s * s - q * s * q * s
    require(bool(sympy.expand(split - norms) == 0), "the split of the norms")
    x, y = symbols("x y")  # a coordinate of A m and of A^T m
    square = 4 * ((x + y) / 2) ** 2
    require(is_identity(2 * x**2 + 2 * y**2 - square, (x - y) ** 2), "the parallelogram")
