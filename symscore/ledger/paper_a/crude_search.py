"""Sections 4.2 and 4.3 of paper A, algorithm 3 to definition 24: crude lists, partitions."""

from itertools import combinations, product

from flint import arb, fmpq, fmpq_mat

from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import (
    flattened_moment,
    is_semidefinite,
    projection_defect,
    scaled_identity,
)
from symscore.exact.arithmetic.rational import Row, column, entries
from symscore.exact.bounds.crude_covariances import (
    squared_defect,
)
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Diagonals of covariances, and the squares of the distances that separate parts.
DIAGONALS = ((1, 1), (1, 2), (3, 2), (4, 4))
THRESHOLDS = ((2, 2), (5, 6))


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
        "They are symmetric then, but need not be positive semidefinite; lemma 26 needs no such.",
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
    mirror = column(tuple(map(fmpq, ((1, 2, -1, 2), (2, 1, 3, -1))[turn])))
    square = (mirror.transpose() * mirror)[0, 0]
    axes = scaled_identity(4, fmpq(1)) - mirror * mirror.transpose() * (2 / square)
    reaches = ((2, 1, 1, fmpq(3, 2)), (1, 2, fmpq(1, 2), 2))[turn]
    steps = [(fmpq(2, 3), 0), (fmpq(1, 6), 1), (fmpq(1, 6), -1)]
    points, whole = [], fmpq_mat(16, 16)
    for chosen in product(steps, repeat=4):
        mass = fmpq(1)
        for share, _ in chosen:
            mass *= share
        place = column(tuple(fmpq(r) * sign for r, (_, sign) in zip(reaches, chosen, strict=True)))
        point = axes * place
        flat = column(entries(point * point.transpose()))
        whole += mass * (flat * flat.transpose())
        points.append((mass, entries(point)))
    spread = fmpq_mat(4, 4)
    for i, r in enumerate(reaches):
        spread[i, i] = fmpq(r) ** 2 / 3
    covariance = axes * spread * axes.transpose()
    require(flattened_moment((fmpq(0),) * 4, covariance) == whole, "a Gaussian's fourth moments")
    return covariance, points


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
    statement="For every k crude means from the list of algorithm 2 run algorithm 3 with them, "
    "and return all pairs of a mean and a covariance so found.",
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


@entry(
    "A.Def24",
    title="A pair of separated partitions, by means and covariances",
    page="34",
    statement=r"S by means, with $\Delta^\mu_{in}, \Delta^\mu_{out}$, and T by covariances, with "
    r"$\Delta^Q_{in}, \Delta^Q_{out}$: distances inside a part are at most $\Delta_{in}$, between "
    r"parts at least $\Delta_{out}$. Cells are the common refinement.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
)
def separated_pair(effort: Effort) -> str:
    """Decide for all placings of four means on a lattice that single linkage gives such a pair."""
    places = list(product(range(4), range(effort.pick(2, 3))))
    covariances = [tuple(map(int, row)) for row in DIAGONALS]
    count = tight = 0
    for means in combinations(places, 4):
        for mean_square, covariance_square in THRESHOLDS:
            by_mean = _linked(means, mean_square)
            by_covariance = _linked(covariances, covariance_square)
            cells = list(zip(by_mean, by_covariance, strict=True))
            for i, j in combinations(range(4), 2):
                near = _square(means[i], means[j])
                close = _square(covariances[i], covariances[j])
                if cells[i] == cells[j]:
                    # At most k - 1 = 3 times the threshold.
                    inside = near <= 9 * mean_square and close <= 9 * covariance_square
                    require(inside, "Delta_in = (k - 1) Delta_out", means)
                else:
                    apart = near >= mean_square or close >= covariance_square
                    require(apart, "cells apart by means or covariances", means)
                tight += by_mean[i] == by_mean[j] and near > 4 * mean_square
            count += 1
    require(tight > 0, "parts wider than (k - 2) Delta_out", tight)
    return f"{count} pairs of partitions of four components; {tight} pairs of means need k - 1"


def _square(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def _linked(points: list[tuple[int, ...]] | tuple[tuple[int, ...], ...], square: int) -> list[int]:
    """Return labels of the parts that steps shorter than the root of `square` connect."""
    labels = list(range(len(points)))
    for i, j in combinations(range(len(points)), 2):
        if _square(points[i], points[j]) < square:
            old, new = max(labels[i], labels[j]), min(labels[i], labels[j])
            labels = [new if label == old else label for label in labels]
    return labels
