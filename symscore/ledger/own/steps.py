"""The two-stage step of the flow: when it is a bijection, and which coefficients it has."""

from random import Random

import sympy
from flint import fmpq, fmpq_mat
from sympy import Expr, Symbol, symbols

from symscore.exact import DifferentialField, is_identity
from symscore.exact.arithmetic.quadratic_forms import is_semidefinite, scaled_identity
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require

STEP = (
    r"For $y_1 = y + a h D_0(y)$, $\Phi(y) = y + h ((1 - w) D_0(y) + w D_1(y_1))$, "
    r"$b = (1 - w) / a \in [0, 1]$, $h, a > 0$, $w \ge 0$: "
)


@entry(
    "own.Bijection",
    title="The two-stage step is a bijection",
    statement=STEP + r"if $D_i$ are $C^1$ with $\operatorname{sym} D_i' \ge -c_i I$, $c_i \ge 0$, "
    r"$a h c_0 < 1$ and $w h c_1 < b$, then $\Phi$ is a diffeomorphism of $\mathbb R^d$ with "
    r"$\det \Phi' > 0$ and $|\Phi(y) - \Phi(y')| \ge (1 - a h c_0)(b - w h c_1) |y - y'|$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=("the inverse function theorem", "an open and closed part of a connected space is all"),
    proof="proof-bijection",
)
def bijection(effort: Effort) -> str:
    """Decide the factorisation and its derivative, test the bounds exactly, and their sharpness."""
    y, stage, h, a, b, last = symbols("y stage h a b last")
    w = 1 - a * b
    first = (stage - y) / (a * h)
    step = y + h * ((1 - w) * first + w * last)
    require(is_identity(step, (1 - b) * y + b * stage + w * h * last), "step 3", step)
    for size in effort.pick((2,), (2, 3)):
        _check_inverse(size)
    chance, tried = Random(effort.seed), effort.pick(40, 400)
    worst = min(_margin(chance, 2 + n % 4) for n in range(tried))
    require(worst >= 0, "the margin of the theorem", worst)
    _check_sharpness()
    return f"{tried} random non-symmetric fields in 2 to 5 dimensions within the bounds; both sharp"


def _check_inverse(size: int) -> None:
    """Decide that sym M^-1 = M^-1 (sym M) M^-T, and a determinant's product, with symbols."""
    matrix = sympy.Matrix(size, size, symbols(f"m0:{size * size}"))
    det, adjugate = matrix.det(method="berkowitz"), matrix.adjugate()
    twice = adjugate * det + (adjugate * det).T
    other = adjugate * (matrix + matrix.T) * adjugate.T
    same = all(is_identity(p, q) for p, q in zip(twice, other, strict=True))
    require(same, "the symmetric part of an inverse", size)


def _random(chance: Random, size: int) -> fmpq_mat:
    return fmpq_mat([[fmpq(chance.randint(-9, 9), 4) for _ in range(size)] for _ in range(size)])


def _symmetric(matrix: fmpq_mat) -> fmpq_mat:
    return (matrix + matrix.transpose()) / 2


def _above(matrix: fmpq_mat, floor: fmpq) -> bool:
    """Whether sym M >= floor I."""
    return is_semidefinite(_symmetric(matrix) - scaled_identity(matrix.nrows(), floor))


def _margin(chance: Random, size: int) -> fmpq:
    """Return det Phi' less its lower bound, for random J_0, J_1 on the edge of the bounds."""
    a, b = fmpq(chance.randint(1, 9), 5), fmpq(chance.randint(1, 8), 8)
    h, one = fmpq(chance.randint(1, 30), 7), scaled_identity(size, fmpq(1))
    w = 1 - a * b
    if w < 0:
        a, w = 1 / b, fmpq(0)
    low_stage, low_last = fmpq(chance.randint(1, 9), 10), fmpq(chance.randint(1, 9), 10) * b
    twist = [_random(chance, size) for _ in range(4)]
    # A square and a rotation, and as much shrinkage as a h c_0 = 1 - m and w h c_1 = b - m allow.
    fields = [s * s.transpose() + t - t.transpose() for s, t in (twist[:2], twist[2:])]
    inner = one * low_stage + fields[0] * (a * h)
    first = (inner - one) / (a * h)
    outer = one * low_last + fields[1] * (w * h)
    require(_above(inner, low_stage), "sym G' >= m", inner)
    require(is_semidefinite(_symmetric(inner.inv())), "a monotone inverse", inner)
    whole = inner.inv() * (1 - b) + outer
    require(_above(whole, low_last), "sym K' >= m", whole)
    # w h J_1 = outer - b: the step's own derivative, without its factors.
    step = one + first * (h * (1 - w)) + (outer - one * b) * (one + first * (a * h))
    require(step == whole * inner, "Phi' = K' G'", step)
    least = low_stage * low_last
    require(is_semidefinite(step.transpose() * step - one * least**2), "expansion", step)
    return step.det() - least**size


def _check_sharpness() -> None:
    """Decide that beyond either bound a linear field on the line has a negative derivative."""
    a, b, h, c, big, excess = symbols("a b h c big excess")
    w = 1 - a * b

    def slope(first: Expr, last: Expr) -> Expr:
        return 1 + h * ((1 - w) * first + w * last * (1 + a * h * first))

    # J_1 = -(b + excess) / (w h) and J_0 = (big - 1) / (a h): then Phi' = 1 - b - excess big.
    found = slope((big - 1) / (a * h), -(b + excess) / (w * h))
    require(is_identity(found, 1 - b - excess * big), "beyond the second bound", found)
    # J_0 = -(1 + excess) / (a h) and J_1 = c: then Phi' = 1 - b - excess (b + w h c).
    found = slope(-(1 + excess) / (a * h), c)
    require(is_identity(found, 1 - b - excess * (b + w * h * c)), "beyond the first", found)


@entry(
    "own.AnyStep",
    title="With exact scores any step length in any dimension",
    statement=STEP + r"if the derivatives $J_0, J_1$ are symmetric and $\ge 0$ everywhere, as for "
    r"denoisers of any law, $J = \kappa \operatorname{Cov}(x_0 \mid y)$, then $\Phi$ is a "
    r"diffeomorphism, and all eigenvalues of $\Phi'$ are real and at least 1, whatever h.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("own.Bijection",),
    uses=("a positive semidefinite matrix has a square root", "convex conjugates, for b = 0"),
    proof="proof-any-step",
)
def any_step(effort: Effort) -> str:
    """Decide the denoiser's derivative, and the similarity and the bound on random matrices."""
    _check_denoiser()
    chance, tried, longest = Random(effort.seed), effort.pick(40, 400), 0
    for n in range(tried):
        size = 1 + n % effort.pick(4, 6)
        h = fmpq(10) ** chance.randint(-2, 4)
        longest = max(longest, int(h.p) // int(h.q))
        _check_eigenvalues(chance, size, h, fmpq(n % 6, 5))
    return (
        f"{tried} random pairs of fields, steps up to {longest}, b from 0 to 1: no eigenvalue < 1"
    )


def _check_denoiser() -> None:
    """Decide that the denoiser's derivative is kappa times the covariance, for three atoms."""
    y, kappa = symbols("y1:3"), Symbol("kappa")
    places = [symbols(f"m{i}_1:3") for i in range(2)]
    gates, weights = symbols("e0:2"), symbols("w0:2")
    tilt = {
        e: kappa * (y[0] * m[0] + y[1] * m[1]) - kappa**2 * (m[0] ** 2 + m[1] ** 2) / 2
        for e, m in zip(gates, places, strict=True)
    }
    field = DifferentialField([*y, kappa, *(s for m in places for s in m), *weights], tilt)
    parts = [w * e for w, e in zip(weights, gates, strict=True)]
    total = sympy.Add(*parts)

    def mean(values: list[Expr]) -> Expr:
        return sympy.Add(*(p * v for p, v in zip(parts, values, strict=True))) / total

    for i in range(2):
        for j in range(2):
            second = mean([m[i] * m[j] for m in places])
            covariance = second - mean([m[i] for m in places]) * mean([m[j] for m in places])
            slope = field.diff(mean([m[i] for m in places]), y[j])
            require(
                slope == field.element(kappa * covariance), "kappa times the covariance", (i, j)
            )


def _check_eigenvalues(chance: Random, size: int, h: fmpq, b: fmpq) -> None:
    one = scaled_identity(size, fmpq(1))
    a = fmpq(chance.randint(1, 5), 5)
    w = 1 - a * b
    # A = C C with C = I + S S^T, so that the square root is rational.
    thin = _random(chance, size) / 3
    root = one + thin * thin.transpose()
    inner = root * root
    first = (inner - one) / (a * h)
    square = _random(chance, size)
    last = square * square.transpose()
    step = one + first * (h * (1 - w)) + last * (one + first * (a * h)) * (w * h)
    outer = one * b + last * (w * h)
    similar = one * (1 - b) + root * outer * root
    require(root * step == similar * root, "similar matrices", step)
    require(step.charpoly() == similar.charpoly(), "equal eigenvalues", step)
    require(is_semidefinite(similar - one), "no eigenvalue below 1", similar.charpoly())
    require(is_semidefinite(similar - one * (1 - b) - inner * b), "the bound by b A", similar)
