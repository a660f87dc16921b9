"""Section 4 of paper A, lemma 13 and algorithm 2: the list of crude parameters, and its net."""

from itertools import product
from math import isqrt

import sympy
from flint import fmpq
from sympy import sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.moments import gaussian_moments
from symscore.exact.arithmetic.rational import Row, dot
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_a.crude_means import MEANS, SPREADS, WEIGHTS, second_moment


@entry(
    "A.Lem13",
    title="A list that holds crude parameters of every component",
    page="24",
    statement=r"A list W of size $(R / \sqrt\beta)^{O(k^2)} d^{O(k)}$ holds for every i some "
    r"$(\hat\mu_i, \hat Q_i)$ with $\Vert \mu_i - \hat\mu_i \Vert^2 \lesssim \beta / "
    r"\lambda_{min}$ and $\Vert Q_i - \hat Q_i \Vert_F \lesssim k^{3/2} \beta / \lambda_{min} + "
    r"k^2 \alpha \log R$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem14", "A.Lem17"),
    finding=Finding(
        Label.PROOF_GAP,
        r"$k^{3/2} \beta / \lambda_{min} + k^2 \alpha \log R$",
        r"$\Vert Q_i - \hat Q_i \Vert_F \le 70 \, \beta / \lambda_{min}^{3/2}$ and "
        r"$\Vert \mu_i - \hat\mu_i \Vert^2 \le 9 \beta / \lambda_{min}$, from moments within "
        r"$\beta$ (means) and exact ones (covariances)",
        r"Lemma 17's proof drops a factor $\lambda_i^{-1/2}$, and its $\alpha \log R$ comes from "
        r"lemma 18; in the form proved here no $\log R$ is needed. The thresholds of later "
        r"sections must grow with it.",
    ),
)
def crude_list(effort: Effort) -> str:
    """Put the corrected forms of lemmas 14 and 17 together; count what they leave to spare."""
    # inverse stands for lambda_min^(-1/2), and k <= 1 / lambda_min.
    k, inverse = symbols("k inverse")
    squared = sympy.expand(9 * inverse**2 - (2 * inverse + 1) ** 2)
    require(
        is_nonnegative(squared, {inverse: 1}), "an error of the means of 9 beta / lambda", squared
    )
    root = sympy.Rational(35, 6)
    require(bool(root**2 >= 34), "an upper bound of the root of 34", root)
    upsilon = 9 * inverse**2
    error = upsilon + root * inverse * (k + upsilon) + 2
    # For every k from 1 to l^2, as the error grows with k.
    require(is_identity(sympy.diff(error, k), root * inverse), "an error that grows with k")
    whole = sympy.expand(error.subs(k, inverse**2))
    spare = 70 * inverse**3 - whole
    require(is_nonnegative(spare, {inverse: 1}), "70 beta / lambda^(3/2) to be enough", spare)
    least = spare.subs(inverse, 1)
    tight = 69 * inverse**3 - whole
    require(not is_nonnegative(tight, {inverse: 1}), "69 not to be enough", tight.subs(inverse, 1))
    return f"70 beta / lambda^(3/2) leaves {least} beta at lambda = 1, and more below"


@entry(
    "A.Alg2",
    title="A net in the leading subspace",
    page="25",
    statement=r"$\hat M = \frac1N \sum x x^T$, $\hat V$ its k leading singular vectors, W a "
    r"$\sqrt\beta$-net of $\{v \in \hat V : \Vert v \Vert \le 2 R\}$.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.PROVED,
    finding=Finding(
        Label.REMARK,
        "a net",
        r"the multiples of $2 \sqrt{\beta / k}$ in orthonormal coordinates: within $\sqrt\beta$ "
        r"of every v with $\Vert v \Vert \le R$ if $\sqrt\beta \le R$, and at most "
        r"$(2 R \sqrt{k / \beta} + 1)^k$ of them",
        "An explicit choice.",
    ),
)
def net(effort: Effort) -> str:
    """Decide the radius, cover a fine lattice, count, and check the mean of the second moment."""
    k, beta = symbols("k beta", positive=True)
    pitch = 2 * sqrt(beta / k)
    require(is_identity(k * (pitch / 2) ** 2, beta), "a radius of sqrt(beta)")
    counts = []
    for dim, ratio in ((1, 4), (2, 3), (3, 2)):  # ratio = R^2 / beta
        # In units of the pitch: R^2 = k ratio / 4, and 2 R is the root of k ratio.
        nodes = _nodes(dim, dim * ratio)
        most = (2 * isqrt(dim * ratio) + 1) ** dim
        require(0 < len(nodes) <= most, "a number of nodes below the count", (len(nodes), most))
        fine, farthest = effort.pick(4, 6), fmpq(0)
        for point in _lattice(dim, fine, fmpq(dim * ratio, 4)):
            nearest = min(_gap(point, node) for node in nodes)
            require(nearest <= fmpq(dim, 4), "a node within sqrt(beta)", point)
            farthest = max(farthest, nearest)
        require(farthest == fmpq(dim, 4), "a radius that is attained", farthest)
        counts.append(f"{len(nodes)} <= {most}")
    truth = second_moment(WEIGHTS, MEANS, SPREADS)
    for i, j in product(range(4), repeat=2):
        exponent = tuple(int(n == i) + int(n == j) for n in range(4))
        found = sum(
            w * gaussian_moments(m, tuple(map(tuple, q.tolist())), 2)[exponent]
            for w, m, q in zip(WEIGHTS, MEANS, SPREADS, strict=True)
        )
        require(found == truth[i, j], "the mean of x x^T", (i, j))
    return f"nodes for k = 1, 2, 3: {', '.join(counts)}; the radius is attained"


def _nodes(dim: int, square: int) -> list[Row]:
    """Return all integer points whose squared norm is at most `square`."""
    reach = isqrt(square)
    grid = product(range(-reach, reach + 1), repeat=dim)
    return [tuple(map(fmpq, point)) for point in grid if sum(x * x for x in point) <= square]


def _lattice(dim: int, fine: int, square: fmpq) -> list[Row]:
    """Return points with coordinates in 1/fine, none negative, within a ball about 0."""
    reach = isqrt(int(square)) + 1
    grid = product((fmpq(i, fine) for i in range(reach * fine + 1)), repeat=dim)
    return [point for point in grid if dot(point, point) <= square]


def _gap(one: Row, other: Row) -> fmpq:
    return sum(((a - b) ** 2 for a, b in zip(one, other, strict=True)), fmpq(0))
