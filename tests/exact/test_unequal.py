"""Fisher information in the plane by two methods, against quadrature of the definition."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from flint import arb, fmpq, fmpq_mat

from symscore.errors import NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information import box_plan, boxes, unequal
from symscore.exact.information.boxes import spread_by_boxes
from symscore.exact.information.fisher_line import spread_on_the_line
from symscore.exact.information.strips import Strips
from symscore.exact.information.unequal import spread_by_strips

ROUTES = [spread_by_strips, spread_by_boxes]
both = pytest.mark.parametrize("route", ROUTES)

# Of the mixture 1/2 N(-1, 1) + 1/2 N(1, 1), by ball quadrature over one variable.
ON_THE_LINE = Fraction("0.550400490793327170288319498822")


def mixture(weights, means, covariances) -> RationalMixture:
    return RationalMixture.of(ExactMixture(weights, means, covariances))


def diagonal(*entries) -> list:
    return [[e if i == j else 0 for j in range(len(entries))] for i, e in enumerate(entries)]


THREE = mixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0], [-1, 1], [0, -2]],
    [diagonal(1, 1), [["3/2", "1/2"], ["1/2", 1]], diagonal("1/2", 2)],
)
SMALL_INSIDE = mixture(
    ["1/2", "1/2"], [[0, 0], ["1/2", 0]], [diagonal("1/16", "1/16"), diagonal(1, 1)]
)
CROSSED = mixture(
    ["1/3", "2/3"], [[0, 0], [1, 0]], [[[1, "9/10"], ["9/10", 1]], [[1, "-9/10"], ["-9/10", 1]]]
)


def random_mixture(seed: int, count: int) -> RationalMixture:
    """Covariances ``R R^T + e I`` with entries of R up to 5/4 and e from 1/4 to 1."""
    draws = Random(seed)
    weights = [draws.randint(1, 5) for _ in range(count)]
    means = [[Fraction(draws.randint(-8, 8), 4) for _ in range(2)] for _ in range(count)]
    covariances = []
    for _ in range(count):
        a, b, c = (Fraction(draws.randint(-5, 5), 4) for _ in range(3))
        floor = Fraction(1, draws.choice([1, 2, 4]))
        covariances.append([[a * a + b * b + floor, b * c], [b * c, c * c + floor]])
    return mixture([Fraction(w, sum(weights)) for w in weights], means, covariances)


def floats(values) -> np.ndarray:
    return np.vectorize(lambda v: int(v.p) / int(v.q), otypes=[float])(
        np.array(values, dtype=object)
    )


def direct(found: RationalMixture, panels: int = 80) -> float:
    """The integral of |grad p|^2 / p by 8 Gauss-Legendre nodes on each of many panels."""
    weights, means = floats(found.weights), floats(found.means)
    covariances = floats(found.covariances)
    axes = []
    for axis in (0, 1):
        reach = 9 * np.sqrt(covariances[:, axis, axis])
        edges = np.linspace(
            (means[:, axis] - reach).min(), (means[:, axis] + reach).max(), panels + 1
        )
        nodes, shares = np.polynomial.legendre.leggauss(8)
        middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        axes.append(
            (
                (middle[:, None] + half[:, None] * nodes).ravel(),
                (half[:, None] * shares).ravel(),
            )
        )
    grid = np.stack(np.meshgrid(axes[0][0], axes[1][0], indexing="ij"), axis=-1)
    logs, scores = [], []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        score = -(grid - mean) @ np.linalg.inv(covariance)
        norm = np.log(weight) - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
        logs.append(norm + 0.5 * ((grid - mean) * score).sum(-1))
        scores.append(score)
    top = np.max(logs, axis=0)
    parts = np.exp(np.array(logs) - top)
    score = (parts[..., None] * np.array(scores)).sum(0) / parts.sum(0)[..., None]
    values = np.exp(top) * parts.sum(0) * (score**2).sum(-1)
    return float(axes[0][1] @ values @ axes[1][1])


def turned(found: RationalMixture, rows: list) -> RationalMixture:
    return found.image(fmpq_mat([[fmpq(p, q) for p, q in row] for row in rows]))


@both
@pytest.mark.parametrize("found", [THREE, SMALL_INSIDE, CROSSED], ids=["three", "small", "crossed"])
def test_agrees_with_quadrature_of_the_definition(route, found) -> None:
    enclosure = route(found, Fraction(1, 10**7))

    assert enclosure.width <= Fraction(1, 10**7)
    # 640 nodes an axis leave less than 1e-10, doubles as much again.
    assert abs(float(enclosure.midpoint) - direct(found)) < 0.5e-7 + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_random_mixtures(seed) -> None:
    found = random_mixture(seed, 2 + seed % 3)
    by_strips, by_boxes = (route(found, Fraction(1, 10**8)) for route in ROUTES)

    assert by_strips.overlaps(by_boxes)
    assert abs(float(by_strips.midpoint) - direct(found)) < 0.5e-8 + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_coarse_enclosures_hold_what_the_other_method_finds(seed) -> None:
    found = random_mixture(100 + seed, 2)
    by_strips, by_boxes = (route(found, Fraction(1, 10**7)) for route in ROUTES)

    for width in (Fraction(4), Fraction(1), Fraction(1, 4), Fraction(1, 50)):
        assert spread_by_strips(found, width).overlaps(by_boxes)
        assert spread_by_boxes(found, width).overlaps(by_strips)


@both
def test_independent_coordinates_add_up(route) -> None:
    # Two modes along one coordinate and, independently, two scales along the other: J is the sum.
    halves = mixture(["1/2", "1/2"], [0, 0], [1, 2])
    other = spread_on_the_line(halves, Fraction(1, 10**20))
    four = mixture(
        ["1/4"] * 4,
        [[-1, 0], [1, 0], [-1, 0], [1, 0]],
        [diagonal(1, 1), diagonal(1, 1), diagonal(1, 2), diagonal(1, 2)],
    )
    enclosure = route(four, Fraction(1, 10**8))

    assert enclosure.lower < ON_THE_LINE + other.upper
    assert ON_THE_LINE + other.lower < enclosure.upper


@both
def test_shared_covariance_of_means_in_a_square(route) -> None:
    # Means (+-1, +-1) with equal weights: the coordinates are independent.
    four = mixture(
        ["1/4"] * 4, [[-1, -1], [-1, 1], [1, -1], [1, 1]], [diagonal(1, 1) for _ in range(4)]
    )
    enclosure = route(four, Fraction(1, 10**9))

    assert enclosure.lower <= 2 * ON_THE_LINE <= enclosure.upper


@both
@pytest.mark.parametrize(
    "rows",
    [
        [[(3, 5), (4, 5)], [(-4, 5), (3, 5)]],
        [[(2, 3), (-1, 3)], [(2, 3), (2, 3)], [(-1, 3), (2, 3)]],
    ],
    ids=["plane", "plane in space"],
)
def test_isometries_change_nothing(route, rows) -> None:
    moved = turned(THREE, rows)
    if moved.dim == 3:
        # Across the plane all components are N(0, 1), which adds 1.
        normal = fmpq_mat([[fmpq(2, 3)], [fmpq(-1, 3)], [fmpq(2, 3)]])
        across = normal * normal.transpose()
        moved = RationalMixture(
            moved.weights,
            moved.means,
            tuple(
                tuple(tuple(row) for row in (moved.covariance(i) + across).tolist())
                for i in range(3)
            ),
        )
    here, there = route(THREE, Fraction(1, 10**5)), route(moved, Fraction(1, 10**5))

    assert abs(here.midpoint + moved.dim - 2 - there.midpoint) <= Fraction(1, 10**5)


@both
def test_components_far_apart_add_up(route) -> None:
    far = mixture(
        ["1/3", "1/3", "1/3"],
        [[0, 0], [40, 0], [0, 40]],
        [diagonal(1, 1), diagonal("1/2", 1), diagonal(1, 3)],
    )
    enclosure = route(far, Fraction(1, 10**10))

    # The posterior spread is below e^-100.
    assert abs(enclosure.midpoint - Fraction(19, 9)) <= Fraction(1, 10**10)


@both
def test_components_nearly_equal(route) -> None:
    near = mixture(
        ["1/2", "1/2"], [[0, 0], [0, "1/1000"]], [diagonal(1, 1), diagonal("1001/1000", 1)]
    )
    enclosure = route(near, Fraction(1, 10**12))

    # g_1 - g_2 = (-(1 - 1/v) x, -1/1000) with v = 1001/1000, and r_1 r_2 = 1/4 but for the square
    # of tanh(log(p_1 / p_2) / 2), which is below 1e-6 on average: 1e-12 in all.
    spread = ((1 - Fraction(1000, 1001)) ** 2 * Fraction(2001, 2000) + Fraction(1, 10**6)) / 4
    trace = Fraction(3, 2) + Fraction(1000, 1001) / 2
    assert abs(enclosure.midpoint - (trace - spread)) < Fraction(2, 10**12)
    assert enclosure.width <= Fraction(1, 10**12)


@both
def test_a_component_may_come_twice(route) -> None:
    first, second = [diagonal(1, 1), diagonal(2, 1)], [[0, 0], [0, 1]]
    once = mixture(["1/2", "1/2"], second, first)
    twice = mixture(["1/2", "1/4", "1/4"], [*second, [0, 1]], [*first, diagonal(2, 1)])

    assert route(once, Fraction(1, 10**5)).overlaps(route(twice, Fraction(1, 10**5)))


@both
def test_progress_ends_at_one(route) -> None:
    told: list[float] = []
    route(THREE, Fraction(1, 100), progress=told.append)

    assert told == sorted(told)
    assert told[-1] == 1


@both
def test_other_ranks_are_refused(route) -> None:
    line = mixture(["1/2", "1/2"], [[-1, 0], [1, 0]], [diagonal(1, 1), diagonal(1, 1)])
    space = mixture(["1/2", "1/2"], [[0, 0, 0], [1, 0, 0]], [diagonal(1, 1, 1), diagonal(2, 3, 4)])

    for found, rank in ((line, 1), (space, 3)):
        with pytest.raises(UnsupportedInstance, match=f"need {rank}"):
            route(found, Fraction(1, 100))


def test_a_sum_that_ends_too_early_is_no_certificate(monkeypatch) -> None:
    reach = fmpq(8)
    monkeypatch.setattr(unequal, "_within_reach", lambda plane, _: (Strips(plane, reach), reach))
    monkeypatch.setattr(Strips, "outside", lambda *_: arb(0))

    with pytest.raises(NotCertified, match="no wider"):
        spread_by_strips(THREE, Fraction(1, 100))


def test_a_rectangle_that_is_too_small_is_no_certificate(monkeypatch) -> None:
    ends = [(fmpq(-2), fmpq(2))] * 2
    monkeypatch.setattr(boxes, "_ends", lambda plane, _: (ends, boxes._outside(plane, ends)))

    with pytest.raises(NotCertified, match="no wider"):
        spread_by_boxes(THREE, Fraction(1, 100))


def test_strips_refuse_three_scales() -> None:
    scales = mixture(
        ["1/3"] * 3,
        [[0, 0], [3, 0], [0, 2]],
        [diagonal(1, 1), diagonal("1/10000", "1/10000"), diagonal(4, 3)],
    )

    with pytest.raises(UnsupportedInstance, match=r"boxes|points"):
        spread_by_strips(scales, Fraction(1, 1000))


def test_boxes_refuse_more_points_than_allowed(monkeypatch) -> None:
    monkeypatch.setattr(box_plan, "MOST_POINTS", 1000)

    with pytest.raises(ResourceLimit, match="fewer digits"):
        spread_by_boxes(THREE, Fraction(1, 10**6))
