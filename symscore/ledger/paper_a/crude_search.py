"""Section 4.2 of paper A, lemma 22 to algorithm 4: other centres, and the search itself."""

from itertools import pairwise, product
from math import comb

import sympy
from flint import arb, fmpq, fmpq_mat
from sympy import Expr, Matrix, symbols

from symscore.exact import Slabs
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import (
    is_semidefinite,
    projection_defect,
    scaled_identity,
)
from symscore.exact.arithmetic.rational import RationalMixture, Row, column, entries
from symscore.exact.bounds.crude_covariances import (
    recentring_errors,
    signal_errors,
    squared_defect,
)
from symscore.exact.distances.cell_moments import Table, component_tables
from symscore.exact.distances.incomplete import by_recurrence
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# In the plane, with crude means on the first axis: mean and covariance of one component.
MEAN, SPREAD = (fmpq(1, 4), fmpq(1, 2)), fmpq_mat([[2, fmpq(1, 2)], [fmpq(1, 2), 1]])
BETA, UPSILON = fmpq(9, 4), fmpq(5, 16)
# Crude means, the first of which is the component's own.
LINES = ((0, 1), (0, fmpq(1, 8), -1), (0, -2, 2), (0, 6))


@entry(
    "A.Lem22",
    title="What another centre does to the fourth moments",
    page="30",
    statement=r"For a cell $K_j$ of a far mean, or two centres close to $\mu_i$ (up to $\Delta$): "
    r"$\Vert E_{N_i} (\Psi_s - \Psi_s') 1_{K_j} \Vert$ is "
    r"$\lesssim \beta^2 k^2 + \Delta^4$ for 00, $\lesssim \beta^{3/2} \Delta + \beta \Delta^2$ for 01, and 0 for 11, where $\Psi_s$ and "
    r"$\Psi_s'$ are about the two centres.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("A.Lem18",),
    uses=(r"$P(Z \le t) \ge \frac12$ for $t \ge 0$", "Schwarz's inequality"),
    finding=Finding(
        Label.REFUTED,
        r"01: $\lesssim \beta^{3/2} \Delta + \beta \Delta^2$",
        r"close centres, $\Delta \ge \sqrt\upsilon + \sqrt{k \beta}$: 00 at most $75 \Delta^4$, "
        r"01 at most $15 (\beta + \upsilon) \Delta^2$, 11 exactly 0",
        r"The offset across the centres, up to $\sqrt\upsilon$, is left out. In the plane with "
        r"$Q = I$, centres $\mp \frac{\Delta}{2} e_1$, $\Delta \ge 1$, and "
        r"$\mu_1 = \hat\mu_1 + \sqrt\upsilon \, e_2$ the cell of the own centre has more than "
        r"$\frac12 (1 + \upsilon) \Delta^2$. Corollary 23 is not affected: see there.",
    ),
)
def another_centre(effort: Effort) -> str:
    """Prove the family that defeats every constant, and the steps of the corrected bound."""
    ratios = []
    with precision(64):
        for upsilon, delta in ((100, 120), (10_000, 1200), (1_000_000, 12_000)):
            found = _own_cell(fmpq(delta), fmpq(upsilon))
            require(found > ball_of((1 + upsilon) * delta**2) / 2, "half of the whole", found)
            ratio = found / ball_of(delta + delta**2)
            require(ratio > upsilon / 2, "a ratio that grows with upsilon", ratio)
            require(found <= 15 * (1 + ball_of(upsilon)) * ball_of(delta) ** 2, "the bound", found)
            ratios.append(f"{float(ratio):.4g}")
    v, d = symbols("v d")
    family = (1 + v) * d**2 / 2 - v / 4 * (d + d**2)
    require(is_nonnegative(family, {v: 0, d: 1}), "a quarter of upsilon for Delta >= 1", family)
    variances, squares = symbols("v0:3"), symbols("n0:3")
    fourth = _fourth_norm(variances, squares)
    spare = 3 * (sum(variances) + sum(squares)) ** 2 - fourth
    require(is_nonnegative(spare, dict.fromkeys((*variances, *squares), 0)), "a fourth norm", spare)
    # kappa and rho stand for the roots of k beta and upsilon, and Delta is their sum and more.
    kappa, rho, more, root = symbols("kappa rho more root")
    delta = kappa + rho + more
    inner = recentring_errors(1, kappa**2, (delta + rho) ** 2)[0]
    require(is_nonnegative(75 * delta**4 - inner, dict.fromkeys((kappa, rho, more), 0)), "75")
    cross = 3 * (kappa**2 + (delta + rho) ** 2) * (root**2 + rho**2)
    left = 15 * (root**2 + rho**2) * delta**2 - cross
    require(is_nonnegative(left, dict.fromkeys((kappa, rho, more, root), 0)), "15", left)
    _check_across()
    return f"ratios to beta^(3/2) Delta + beta Delta^2: {', '.join(ratios)} for growing upsilon"


def _own_cell(delta: fmpq, upsilon: fmpq) -> arb:
    """Return E [(z - Delta)^2 - z^2] w^2 over the own cell z < Delta / 2, times -1 for its sign."""
    mass, first, second = by_recurrence(fmpq(0), fmpq(1), None, delta / 2, 2)
    own, other = second, second - 2 * delta * first + delta * delta * mass
    return (other - own) * ball_of(1 + upsilon)


def _fourth_norm(variances: tuple[Expr, ...], squares: tuple[Expr, ...]) -> Expr:
    """Return E |x|^4 for independent coordinates with these variances and squared means."""
    trace, norm = sympy.Add(*variances), sympy.Add(*squares)
    mixed = sympy.Add(*(v * n for v, n in zip(variances, squares, strict=True)))
    return (trace + norm) ** 2 + 2 * sympy.Add(*(v**2 for v in variances)) + 4 * mixed


def _check_across() -> None:
    """Check that centres in a plane change nothing across it."""
    x, a, b = (Matrix(symbols(f"{name}0:3")) for name in "xab")
    across = Matrix([2, -1, 3])
    projector = across * across.T / across.dot(across)
    inside = sympy.eye(3) - projector
    own, other = projector * (x - inside * a), projector * (x - inside * b)
    require((own * own.T - other * other.T).expand() == sympy.zeros(3, 3), "no change across")


@entry(
    "A.Cor23",
    title="Moments about the nearest centre are nearly of rank one",
    page="31",
    statement=r"$E_{N_i} \Psi_s(x - \hat\mu(x))$ differs from the rank one matrices of lemma 20 by "
    r"$\lesssim \beta \upsilon + \beta^2 k^3 + k \Delta^4$ (00), $\beta^2 + \beta \upsilon + "
    r"k \beta^{3/2} \Delta + k \beta \Delta^2$ (01) and $\beta^2 + \beta \upsilon$ (11).",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem20", "A.Lem21"),
    uses=("Schwarz's inequality",),
    finding=Finding(
        Label.REMARK,
        r"bounds with $\Delta$",
        r"$2 \beta^2 + 4 \beta \upsilon + 3 (k \beta + \upsilon)^2$ (00), $2 \beta^2 + "
        r"4 \beta \upsilon + 3 (k \beta + \upsilon) (\beta + \upsilon)$ (01), "
        r"$2 \beta^2 + 4 \beta \upsilon$ (11)",
        r"The nearest centre is no farther from $\Pi x$ than $\hat\mu_i$, so the part of "
        r"$x - \hat\mu(x)$ along the centres is never longer than that of $x - \hat\mu_i$: neither "
        r"$\Delta$ nor R is needed, nor lemmas 18 and 22. Own derivation.",
    ),
)
def nearest_centre_moments(effort: Effort) -> str:
    """Decide the steps of the form without distances, and enclose it for centres on a line."""
    v, n = symbols("v n")
    fourth = _fourth_norm((v,), (n,))
    require(is_nonnegative(3 * (v + n) ** 2 - fourth, {v: 0, n: 0}), "across", fourth)
    inner, cross, _ = recentring_errors(2, v, n)
    outer = recentring_errors(1, v, n)[0]
    require(bool(sympy.expand(cross**2 - inner * outer) == 0), "the mean of two by Schwarz", cross)
    offset = column(MEAN)
    require(is_semidefinite(scaled_identity(2, BETA) - SPREAD), "a covariance below beta", SPREAD)
    require((offset.transpose() * offset)[0, 0] <= UPSILON, "a mean within upsilon", MEAN)
    shares = []
    with precision(64):
        for line in LINES[: effort.pick(3, 4)]:
            centres = tuple(map(fmpq, line))
            bounds = signal_errors(len(centres), BETA, UPSILON)
            near, own = _about(centres), _about(centres[:1])
            require(near[0] < own[0] and near[1] < own[1], "shorter parts along the centres", line)
            signal = SPREAD + offset * offset.transpose()
            parts = (signal[0, 0], signal[0, 1], signal[1, 1])
            for moment, part, bound in zip(near, parts, bounds, strict=True):
                error = abs(moment - ball_of(part) ** 2)
                require(error <= ball_of(bound), "an error below the bound", (line, error))
                shares.append(error / ball_of(bound))
            require(near[2].overlaps(own[2]), "no change across", near[2])
    most = max(shares, key=float)
    return f"all steps; {len(shares)} errors on a line, at most {float(most):.3f} of the bounds"


def _about(centres: Row) -> tuple[arb, arb, arb]:
    """Return E u^4, E u^2 w^2 and E w^4, u along the nearest centre's line and w across."""
    law = RationalMixture((fmpq(1),), (MEAN,), (tuple(map(tuple, SPREAD.tolist())),))
    places = sorted(centres)
    cuts = tuple((a + b) / 2 for a, b in pairwise(places))
    totals = [arb(0), arb(0), arb(0)]
    tables = component_tables(law, Slabs((1, 0), cuts), 4, by_recurrence)
    for centre, (table,) in zip(places, tables, strict=True):
        for order, (along, across) in enumerate(((4, 0), (2, 2), (0, 4))):
            totals[order] += _moved(table, centre, along, across)
    return totals[0], totals[1], totals[2]


def _moved(table: Table, centre: fmpq, along: int, across: int) -> arb:
    """Return the moment of (x_1 - centre)^along x_2^across on one cell."""
    return sum(
        (comb(along, j) * (-centre) ** (along - j) * table[(j, across)] for j in range(along + 1)),
        arb(0),
    )


@entry(
    "A.Alg3",
    title="Crude covariances from moments about the nearest centre",
    page="32",
    statement=r"Form $\hat C_s$, the mean of $\Psi_s(x - \hat\mu(x))$; take nets of radius "
    r"$\beta \sqrt d$ in their top-k singular subspaces; return all sums "
    r"$\hat Q_{00} + \hat Q_{01} + \hat Q_{01}^T + \hat Q_{11}$.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.CERTIFIED,
    depends_on=("A.Lem17", "A.Cor23"),
    finding=Finding(
        Label.REMARK,
        "sums of three nets",
        "sums of three nets, of symmetric matrices in the first and the last",
        "They are symmetric then, but need not be positive semidefinite; lemma 26 does not need it.",
    ),
)
def crude_covariances_run(effort: Effort) -> str:
    """Run it in rationals on points with the moments of two Gaussians in four dimensions."""
    covariances, rows = zip(*(_design(turn) for turn in (0, 1)), strict=True)
    centres, weights = (
        ((fmpq(0),) * 4, (fmpq(9), fmpq(1), fmpq(0), fmpq(0))),
        (fmpq(1, 3), fmpq(2, 3)),
    )
    offsets = (
        (fmpq(1, 2), fmpq(0), fmpq(1, 3), fmpq(0)),
        (fmpq(0), fmpq(1, 4), fmpq(0), fmpq(-1, 2)),
    )
    moments = {s: fmpq_mat(4, 4) for s in ((0, 0), (0, 2), (2, 2))}
    for weight, centre, offset, points in zip(weights, centres, offsets, rows, strict=True):
        for mass, point in points:
            x = tuple(a + b + c for a, b, c in zip(point, centre, offset, strict=True))
            z = min((_difference(x, c) for c in centres), key=lambda z: z[0] ** 2 + z[1] ** 2)
            for (first, second), total in moments.items():
                flat = column(tuple(z[first + i] * z[second + j] for i in (0, 1) for j in (0, 1)))
                moments[first, second] = total + weight * mass * (flat * flat.transpose())
    for s in ((0, 0), (2, 2)):
        swapped = [moments[s][1, j] == moments[s][2, j] for j in range(4)]
        require(all(swapped), "symmetric matrices in the range of the moments", s)
    require(not is_semidefinite(fmpq_mat([[0, 1], [1, 0]])), "sums that are not semidefinite")
    shown = []
    with precision(128):
        for weight, offset, covariance in zip(weights, offsets, covariances, strict=True):
            signal = covariance + column(offset) * column(offset).transpose()
            defect = _defect(moments, signal)
            upsilon = sum((x * x for x in offset), fmpq(0))
            require(is_semidefinite(scaled_identity(4, fmpq(2)) - covariance), "beta = 2")
            bound = ball_of(squared_defect(2, fmpq(2), upsilon, weight))
            require(defect <= bound, "a squared defect below the bound", (defect, bound))
            shown.append(f"{float(defect.sqrt()):.3f} <= {float(bound.sqrt()):.1f}")
    return f"two components, d = 4: distance of the best sum {', '.join(shown)}"


def _design(turn: int) -> tuple[fmpq_mat, list[tuple[fmpq, Row]]]:
    """Return a covariance, and points with masses that have a Gaussian's moments up to degree 5."""
    cosine, sine = fmpq(3, 5), fmpq(4, 5)
    axes = fmpq_mat([[cosine, 0, sine, 0], [0, 1, 0, 0], [-sine, 0, cosine, 0], [0, 0, 0, 1]])
    reaches = ((2, 1, 1, fmpq(3, 2)), (1, 2, fmpq(1, 2), 2))[turn]
    steps = [(fmpq(2, 3), 0), (fmpq(1, 6), 1), (fmpq(1, 6), -1)]
    points = []
    for chosen in product(steps, repeat=4):
        mass = fmpq(1)
        for share, _ in chosen:
            mass *= share
        place = column(tuple(fmpq(r) * sign for r, (_, sign) in zip(reaches, chosen, strict=True)))
        points.append((mass, entries(axes * place)))
    spread = fmpq_mat(
        [[fmpq(r) ** 2 / 3 if i == j else 0 for j in range(4)] for i, r in enumerate(reaches)]
    )
    return axes * spread * axes.transpose(), points


def _difference(x: Row, centre: Row) -> Row:
    return tuple(a - b for a, b in zip(x, centre, strict=True))


def _defect(moments: dict[tuple[int, int], fmpq_mat], signal: fmpq_mat) -> arb:
    """Return the squared distance of a matrix from the leading spaces of the three moments."""
    total = arb(0)
    for (first, second), moment in moments.items():
        part = tuple(signal[first + i, second + j] for i in (0, 1) for j in (0, 1))
        total += (1 + (first != second)) * projection_defect(moment, part, 2)
    return total


@entry(
    "A.Alg4",
    title="Crude estimates: pairs of means and covariances",
    page="33",
    statement=r"For every k crude means from the list of algorithm 2 run algorithm 3 with them, and "
    "return all pairs of a mean and a covariance so found.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.PROVED,
    depends_on=("A.Alg2", "A.Alg3"),
)
def crude_pairs(effort: Effort) -> str:
    """Decide on all small cases that one covariance list per choice of means is needed, enough."""
    choices, per_choice = effort.pick((2, 2), (3, 2))
    cases = shared_fail = 0
    for good in product((False, True), repeat=choices):
        for right in product(product((False, True), repeat=per_choice), repeat=choices):
            promised = all(any(row) for ok, row in zip(good, right, strict=True) if ok)
            if not (any(good) and promised):
                continue
            pairs = [(i, j) for i in range(choices) for j in range(per_choice)]
            require(len(set(pairs)) == choices * per_choice, "a list of the product's size")
            require(any(good[i] and right[i][j] for i, j in pairs), "a good pair", (good, right))
            cases, shared_fail = cases + 1, shared_fail + (not any(right[0]))
    require(shared_fail > 0, "cases in which the first means' list alone would not do")
    return f"{cases} cases all hold a good pair; the first list alone has none in {shared_fail}"
