"""Every bound that the integrals over the plane rest on, against what it bounds, in floats."""

from itertools import combinations

import numpy as np
import pytest
from flint import arb, fmpq, fmpq_mat

from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import precision
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.box_plan import Plan, Rectangle
from symscore.exact.information.boxes import Rule, _outside
from symscore.exact.information.peaks import Peak
from symscore.exact.information.plane import Plane, plane_of
from symscore.exact.information.strips import THETA, Strips, _series
from symscore.exact.information.unequal import lattice_sum

SLACK = 1 + 1e-9  # of float evaluations against bounds that may be sharp


def plane(weights, means, covariances) -> Plane:
    return plane_of(RationalMixture.of(ExactMixture(weights, means, covariances)))[0]


# Two components whose precisions hardly differ: what bounds lose is small, a wrong factor shows.
SHARP = plane(
    ["1/2", "1/2"], [[-1, 0], [1, 0]], [[[1, 0], [0, 1]], [["101/100", 0], [0, "99/100"]]]
)
THREE = plane(
    ["1/2", "1/3", "1/6"],
    [[1, 0], [-1, 1], [0, -2]],
    [[[1, 0], [0, 1]], [["3/2", "1/2"], ["1/2", 1]], [["1/2", 0], [0, 2]]],
)

# About one mean, so that gaps vanish there and all is in how they grow.
SCALES = plane(["1/2", "1/2"], [[0, 0], [0, 0]], [[[1, 0], [0, 1]], [[2, 1], [1, 3]]])


def numbers(values) -> np.ndarray:
    return np.vectorize(lambda v: int(v.p) / int(v.q), otypes=[float])(
        np.array(values, dtype=object)
    )


def densities(of: Plane, points: np.ndarray) -> np.ndarray:
    """The weighted densities at points of any shape (..., 2), complex ones too."""
    values = []
    for weight, mean, covariance in zip(
        numbers(of.law.weights), numbers(of.law.means), numbers(of.law.covariances), strict=True
    ):
        centred = points - mean
        form = (centred @ np.linalg.inv(covariance) * centred).sum(-1)
        values.append(weight * np.exp(-form / 2) / np.sqrt(np.linalg.det(2 * np.pi * covariance)))
    return np.array(values)


def integrand(of: Plane, points: np.ndarray) -> np.ndarray:
    """f at points of any shape (..., 2), complex ones too."""
    parts = densities(of, points)
    total = 0
    for gap in of.gaps:
        value = points @ numbers(gap.slope).T + numbers(gap.offset)
        total = total + parts[gap.first] * parts[gap.second] * (value**2).sum(-1)
    return total / parts.sum(0)


def scaled(of: Plane, factor: fmpq) -> Plane:
    return of.image(fmpq_mat([[factor, 0], [0, factor]]))


def steepest_direction(of: Plane, point: np.ndarray) -> tuple[float, np.ndarray]:
    tilts = [numbers(tilt.slope) @ point + numbers(tilt.offset) for tilt in of.tilts()]
    tilt = max(tilts, key=np.linalg.norm)
    return float(np.linalg.norm(tilt)), tilt / np.linalg.norm(tilt)


@pytest.mark.parametrize("of", [SHARP, THREE], ids=["sharp", "three"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_strips_bound_the_integrand_on_shifted_planes(of, share) -> None:
    rng = np.random.default_rng(1)
    with precision(64):
        strips = Strips(of, fmpq(30))
        for point in rng.normal(scale=1.5, size=(100, 2)):
            # The line where both components of SHARP are equal is about x = 0.
            point[0] *= 1e-3 if of is SHARP else 1
            side = arb(2.0**-20)
            place = (arb(point[0]), arb(point[1]), side, side)
            weight, _ = strips.weight(*place)
            eta, _ = strips.strip(*place)
            bound = float(strips.factor * weight / (4 * side * side))
            norm, direction = steepest_direction(of, point)
            # The whole strip is used, and no more.
            assert float(eta) * norm <= 2 * float(THETA) * SLACK
            values = integrand(of, point + 1j * share * float(eta) * direction)
            volume = np.sqrt(
                1
                + (float(strips.angle) * max(float(t.stretch) for t in strips.tilts)) ** 2
                / float(strips.least) ** 4
            )
            assert abs(values) * volume <= bound * SLACK


def test_strips_lose_little_where_they_are_sharp() -> None:
    # At equal densities a whole strip gives p |gap|^2 / (2 cos theta): half of the bound.
    with precision(64):
        strips = Strips(SHARP, fmpq(30))
        side = arb(2.0**-20)
        point = np.array([-0.0013, 0.4])
        place = (arb(point[0]), arb(point[1]), side, side)
        weight, _ = strips.weight(*place)
        eta, _ = strips.strip(*place)
        bound = float(strips.factor * weight / (4 * side * side))
    _, direction = steepest_direction(SHARP, point)
    value = abs(integrand(SHARP, point + 1j * float(eta) * direction))

    assert bound / 3 < value < bound


def test_series_bounds_the_sum_over_frequencies() -> None:
    frequencies = np.array([(a, b) for a in range(-60, 61) for b in range(-60, 61) if a or b])
    lengths = np.linalg.norm(frequencies, axis=1)
    for q in (0.5, 1.0, 3.0, 20.0):
        exact = np.exp(-q * lengths).sum()
        assert exact <= float(_series(arb(q))) * SLACK
        assert float(_series(arb(q))) <= 4 / q + 8 / q**2


@pytest.mark.parametrize("of", [SHARP, THREE], ids=["sharp", "three"])
def test_what_a_lattice_sum_leaves_out_is_bounded(of) -> None:
    for reach in (6, 10, 16):
        with precision(96):
            left = lattice_sum(of, fmpq(100)) - lattice_sum(of, fmpq(reach))
            bound = Strips(of, fmpq(reach)).unsummed(arb(1))
        assert 0 < left < bound


def test_lattice_sums_are_within_the_bound_of_the_integral() -> None:
    with precision(96):
        strips = Strips(SHARP, fmpq(60))
        exact, *coarse = (
            lattice_sum(scaled(SHARP, 1 / h), fmpq(80)) for h in (fmpq(1, 4), fmpq(3, 2), fmpq(2))
        )
        for spacing, value in zip((1.5, 2.0), coarse, strict=True):
            bound = strips.bound(arb(spacing), arb(1e6))
            assert bound is not None
            assert 1e-12 < abs(value - exact) < bound


@pytest.mark.parametrize("reach", [1, 2, 3])
@pytest.mark.parametrize("of", [SHARP, THREE, SCALES], ids=["sharp", "three", "scales"])
def test_what_lies_outside_of_a_rectangle_is_bounded(of, reach) -> None:
    ends = [(fmpq(-1 - reach), fmpq(1 + reach)), (fmpq(-2 - reach), fmpq(2 + reach))]
    axis = np.linspace(-14, 14, 1401)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    inside = (abs(points[..., 0]) <= 1 + reach) & (abs(points[..., 1]) <= 2 + reach)
    outside = integrand(of, points)[~inside].sum() * 0.02**2
    with precision(64):
        bound = float(_outside(of, ends))

    # One more column of grid points at the edge changes a sum by about 0.02 of it.
    assert 0 < outside < 1.05 * bound


@pytest.mark.parametrize("of", [SHARP, THREE], ids=["sharp", "three"])
@pytest.mark.parametrize("axis", [0, 1])
def test_boxes_bound_the_modulus(of, axis) -> None:
    rng = np.random.default_rng(2)
    tried = 0
    with precision(64):
        plan = Plan(of, [(fmpq(-8), fmpq(8)), (fmpq(-8), fmpq(8))], arb(1e-6))
        for point in rng.normal(scale=1.5, size=(200, 2)):
            # About equal densities, where phases matter most.
            point[0] *= 1e-3 if of is SHARP else 1
            height = arb(float(rng.uniform(0.2, 1.4)))
            side = arb(2.0**-20)
            box = Rectangle((arb(point[0]), arb(point[1])), (side, side))
            bound = plan.modulus(box, axis, height, tuple(range(of.law.n_components)))
            if bound is None:
                continue
            tried += 1
            shift = np.zeros(2, dtype=complex)
            shift[axis] = 1j * float(height)
            assert abs(integrand(of, point + shift)) <= float(bound) * SLACK
    assert tried > 50


def test_dropping_components_loses_no_more_than_said() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(scale=2, size=(2000, 2))
    parts = densities(THREE, points)
    gaps = np.array([points @ numbers(gap.slope).T + numbers(gap.offset) for gap in THREE.gaps])
    steepest = (gaps**2).sum(-1).max(0)
    for dropped in range(3):
        one, two = (i for i in range(3) if i != dropped)
        pair = list(combinations(range(3), 2)).index((one, two))
        rest = parts[one] * parts[two] * (gaps[pair] ** 2).sum(-1) / (parts[one] + parts[two])
        change = integrand(THREE, points) - rest
        assert (abs(change) <= steepest * parts[dropped] * SLACK).all()


@pytest.mark.parametrize("width", [1e-1, 1e-3, 1e-6])
def test_rules_are_within_their_error(width) -> None:
    # Everything is kept on small boxes; a far finer division of the same plane is the oracle.
    ends = [(fmpq(-2), fmpq(2)), (fmpq(-2), fmpq(2))]
    with precision(96):
        panels, error = Plan(THREE, ends, arb(width)).divided()
        finer, _ = Plan(THREE, ends, arb(1e-14)).divided()
        rule = Rule(THREE)
        value, exact = (sum((rule.integral(p) for p in ps), arb(0)) for ps in (panels, finer))

    assert abs(value - exact) < float(error.rad()) + 1e-14
    assert float(error.rad()) < width
    # The areas of the boxes that count are those of the rectangle.
    assert sum(float(panel.box.area) for panel in finer) == 16


def test_no_point_of_a_box_is_nearer_than_said() -> None:
    rng = np.random.default_rng(4)
    with precision(64):
        peaks = Peak.all_of(THREE)
        for x, y, dx, dy in rng.uniform([-4, -4, 0, 0], [4, 4, 3, 3], size=(100, 4)):
            points = np.array([x, y]) + np.array([dx, dy]) * rng.uniform(-1, 1, size=(200, 2))
            for i, peak in enumerate(peaks):
                near, _ = peak.nearest(arb(x), arb(y), arb(dx), arb(dy))
                centred = points - numbers(THREE.law.means[i])
                inverse = np.linalg.inv(numbers(THREE.law.covariances[i]))
                lengths = np.sqrt((centred @ inverse * centred).sum(-1))
                assert float(near) <= lengths.min() * SLACK
