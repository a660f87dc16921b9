"""Section 4 of paper A, lemmas 14 to 16: means near the leading subspace."""

from math import isqrt

import sympy
from flint import arb, fmpq, fmpq_mat
from sympy import Matrix, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import (
    is_semidefinite,
    projection_defect,
    scaled_identity,
)
from symscore.exact.arithmetic.rational import Row, column
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Weights, means and covariances of two components in four dimensions, all below BETA.
WEIGHTS = (fmpq(1, 2), fmpq(1, 2))
MEANS: tuple[Row, ...] = (
    (fmpq(3), fmpq(0), fmpq(0), fmpq(0)),
    (fmpq(0), fmpq(2), fmpq(0), fmpq(0)),
)
SPREADS = (
    scaled_identity(4, fmpq(1)),
    fmpq_mat([[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, fmpq(1, 2)]]),
)
BETA = fmpq(2)
# Moves six coordinates on by one.
SHIFT = fmpq_mat([[int(j == (i + 1) % 6) for j in range(6)] for i in range(6)])


def second_moment(weights: Row, means: tuple[Row, ...], spreads: tuple[fmpq_mat, ...]) -> fmpq_mat:
    """Return E x x^T."""
    size = len(means[0])
    total = fmpq_mat(size, size)
    for w, mean, spread in zip(weights, means, spreads, strict=True):
        total += w * (column(mean) * column(mean).transpose() + spread)
    return total


def _errors(size: int, scale: fmpq, count: int) -> list[fmpq_mat]:
    """Return symmetric matrices with entries of several signs, of norm at most `scale`."""
    found = []
    for seed in range(count):
        draw = [
            [(7 * i * j + 5 * (i + j) + 3 * seed * (i + j + 1)) % 11 - 5 for j in range(size)]
            for i in range(size)
        ]
        # Row sums of moduli bound the norm.
        most = max(sum(map(abs, row)) for row in draw) or 1
        found.append(fmpq_mat(draw) * (scale / most))
    return found


def _below(error: fmpq_mat, bound: fmpq) -> bool:
    """Return whether the norm of a symmetric matrix is at most a bound."""
    limit = scaled_identity(error.nrows(), bound)
    return is_semidefinite(limit - error) and is_semidefinite(limit + error)


@entry(
    "A.Lem14",
    title="A list that holds crude means",
    page="24",
    statement=r"CrudeEstimateMeans gives a list of size $(R / \sqrt\beta)^{O(k)}$ that holds for "
    r"every i some $\hat\mu_i$ with $\Vert \mu_i - \hat\mu_i \Vert^2 \lesssim \beta / "
    r"\lambda_{min}$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem15", "A.Lem16", "A.Alg2"),
    finding=Finding(
        Label.REMARK,
        "an order of magnitude",
        r"$\Vert \mu_i - \hat\mu_i \Vert \le 2 \sqrt{\beta / \lambda_i} + \sqrt\beta$ from "
        r"second moments within $\beta$, with at most $(2 R \sqrt{k / \beta} + 1)^k$ means",
        r"Lemma 16 with $\eta = 1$ and a net of radius $\sqrt\beta$. Own derivation.",
    ),
)
def crude_mean_list(effort: Effort) -> str:
    """Decide the sum of both errors, and certify it for second moments off by beta."""
    root = symbols("root")
    eta = sympy.Integer(1)
    require(is_identity(2 * (1 + eta) * root**2, (2 * root) ** 2), "the error of the subspace")
    truth = second_moment(WEIGHTS, MEANS, SPREADS)
    shares = []
    with precision(96):
        for error in _errors(4, BETA, effort.pick(3, 12)):
            require(_below(error, BETA), "an error within beta", error)
            for w, mean in zip(WEIGHTS, MEANS, strict=True):
                defect = projection_defect(truth + error, mean, 2)
                net = ball_of(BETA).sqrt()
                bound = 2 * ball_of(BETA / w).sqrt()
                require(defect <= bound * bound, "a subspace near the means", (defect, bound))
                # The net is in the subspace, across the defect.
                found = (defect + net * net).sqrt()
                require(found <= bound + net, "a mean near the list", found)
                shares.append(found / (bound + net))
    return (
        f"{len(shares)} means, at most {float(max(shares, key=float)):.3f} of "
        "2 sqrt(beta / lambda) + sqrt(beta)"
    )


@entry(
    "A.Lem15",
    title="Vectors lie near the leading singular subspace",
    page="24-25",
    statement=r"If $A = \sum_{i \le k} v_i v_i^T + E$ with $\Vert E \Vert_{op} \le \varepsilon$ "
    r"and $\Pi$ is the projector on its k leading singular vectors, then "
    r"$\Vert v_i - \Pi v_i \Vert^2 \le 2 \varepsilon$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(
        r"Weyl: $\sigma_{k + 1}(A) \le \sigma_{k + 1}(\sum v_i v_i^T) + \varepsilon = \varepsilon$",
        r"$\Vert A r \Vert \le \sigma_{k + 1} \Vert r \Vert$ for r orthogonal to the k leading "
        "right singular vectors",
    ),
    finding=Finding(
        Label.REMARK,
        r"$2 \varepsilon$",
        r"$2 \varepsilon$, which no smaller constant replaces",
        r"With $r = v_i - \Pi v_i$: $\Vert r \Vert^4 - \varepsilon \Vert r \Vert^2 \le r^T A r "
        r"\le \varepsilon \Vert r \Vert^2$. Sharp: $v = (\sqrt{2 \varepsilon} - \eta) e_1$, "
        r"$E = \operatorname{diag}(-\varepsilon, \varepsilon)$.",
    ),
)
def near_leading_subspace(effort: Effort) -> str:
    """Decide the steps, the sharp family, and instances with and without symmetry."""
    size, vectors = 4, [Matrix(symbols(f"{name}0:4")) for name in "vw"]
    # In coordinates in which the projector keeps the first two.
    rest = Matrix([0, 0, *vectors[0][2:]])
    norm = rest.dot(rest)
    signal = sum((v * v.T for v in vectors), sympy.zeros(size, size))
    form = sympy.expand((rest.T * signal * rest)[0, 0])
    extra = sympy.expand(rest.dot(vectors[1]) ** 2)
    require(bool(sympy.expand(form - norm**2 - extra) == 0), "|r|^4 and a square", form)
    eps, n = symbols("eps n")
    require(
        is_identity((eps * n - (n**2 - eps * n)) / n, 2 * eps - n), "|r|^2 of at most 2 epsilon"
    )
    shares = []
    with precision(128):
        sharp = []
        for denominator in (10, 100, 1000):
            length = 1 - fmpq(1, denominator)  # 2 epsilon = 1
            matrix = fmpq_mat([[length**2 - fmpq(1, 2), 0], [0, fmpq(1, 2)]])
            defect = projection_defect(matrix, (length, fmpq(0)), 1)
            require(defect <= 1 and defect.overlaps(ball_of(length**2)), "sharp", defect)
            sharp.append(defect)
        require(1000 * sharp[-1] > 997, "a defect that comes near 2 epsilon", sharp)
        for i, error in enumerate(_errors(6, fmpq(1), effort.pick(5, 30))):
            pair = [
                tuple(fmpq((i * j + 3 * s + j * j) % 5 - 2, 2) for j in range(6)) for s in (1, 2)
            ]
            require(_below(error, fmpq(1)), "an error within epsilon", error)
            # The same norm, and not symmetric.
            matrix = error * SHIFT if i % 2 else error * 1
            for v in pair:
                matrix += column(v) * column(v).transpose()
            for v in pair:
                defect = projection_defect(matrix.transpose() * matrix, v, 2)
                require(defect <= 2, "a squared distance within 2 epsilon", defect)
                shares.append(defect / 2)
    return (
        f"sharp to {float(sharp[-1]):.4f} of 2 epsilon; {len(shares)} others, at most "
        f"{float(max(shares, key=float)):.3f}"
    )


@entry(
    "A.Lem16",
    title="The leading subspace holds crude means",
    page="25",
    statement=r"If $\Vert M - \hat M \Vert_{op} \lesssim \beta$, then $\hat V$ holds some "
    r"$\hat\mu_i$ with $\Vert \hat\mu_i - \mu_i \Vert^2 \lesssim \beta / \lambda_{min}$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem15",),
    finding=Finding(
        Label.REMARK,
        "an order of magnitude",
        r"$\Vert \hat\mu_i - \mu_i \Vert^2 \le 2 (1 + \eta) \beta / \lambda_i$ if "
        r"$\Vert M - \hat M \Vert_{op} \le \eta \beta$",
        r"Lemma 15 for $v_i = \sqrt{\lambda_i} \mu_i$ and $E = \sum_i \lambda_i Q_i + \hat M - M$, "
        r"whose norm is at most $(1 + \eta) \beta$.",
    ),
)
def crude_means(effort: Effort) -> str:
    """Decide the scaling, and certify the bound for exact and for wrong second moments."""
    w, eta, beta = symbols("w eta beta", positive=True)
    bound = 2 * (1 + eta) * beta
    require(is_identity(bound / sqrt(w) ** 2, 2 * (1 + eta) * beta / w), "a weight divided out")
    truth, shares = second_moment(WEIGHTS, MEANS, SPREADS), []
    signal = second_moment(WEIGHTS, MEANS, (scaled_identity(4, fmpq(0)),) * 2)
    with precision(96):
        for share in (fmpq(0), fmpq(1, 2), fmpq(1), fmpq(3)):
            for error in _errors(4, share * BETA, effort.pick(2, 8)):
                noise = truth - signal + error
                require(_below(error, share * BETA), "an error within eta beta", share)
                require(_below(noise, (1 + share) * BETA), "noise within (1 + eta) beta", share)
                shares += [
                    projection_defect(truth + error, mean, 2)
                    / ball_of(2 * (1 + share) * BETA / weight)
                    for weight, mean in zip(WEIGHTS, MEANS, strict=True)
                ]
        shares += [_near_equality(size) for size in (1, 10, 100)]
        require(all(share <= 1 for share in shares), "the bound on instances", shares)
        near = shares[-1]
        require(100 * near > 98, "an instance that comes near the bound", near)
    return f"{len(shares)} means, at most {float(near):.3f} of 2 (1 + eta) beta / lambda"


def _near_equality(size: int) -> arb:
    """Return the share of the bound for one component whose mean is just overlooked."""
    eta, beta = fmpq(size), fmpq(1)
    # E = diag(-eta, 1 + eta), and the squared mean a little below 1 + 2 eta.
    spread, error = fmpq_mat([[0, 0], [0, 1]]), fmpq_mat([[-eta, 0], [0, eta]])
    require(_below(error, eta * beta), "an error within eta beta", error)
    mean = (fmpq(isqrt(10**6 * (1 + 2 * size)) - 1, 1000), fmpq(0))
    matrix = second_moment((fmpq(1),), (mean,), (spread,)) + error
    return projection_defect(matrix, mean, 1) / ball_of(2 * (1 + eta) * beta)
