"""The mode table: how many, where, how deep, how heavy; all against something independent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binom, binomtest, norm

from symscore.errors import BadOption
from symscore.flow import ascent
from symscore.flow.basins import merge
from symscore.flow.flow import ScoreFlow
from symscore.flow.modes import MIN_DEPTH, Modes
from symscore.mixture import GaussianMixture
from tests.flows import make_flow, random_frame, two_modes
from tests.tolerances import FALSE_ALARM

# The flow of exact denoisers differs from its mixture by what the steps leave (total variation
# .003 to .008, docs/method.md) and by the noise of a tenth of the smallest component's sd.
DISCRETISATION = 0.01
SMOOTHED_AWAY = 0.1


def corners(dim: int) -> GaussianMixture:
    """Three components of unlike weight and shape; their modes are about 5 sd apart."""
    places = 4 * np.eye(3)[:, :dim] if dim > 1 else np.array([[0.0], [4.0], [8.0]])
    means = np.zeros((3, dim))
    means[:, : places.shape[1]] = places
    covariances = [np.diag(np.linspace(low, 1.0, dim)) for low in (0.5, 0.8, 1.0)]
    return GaussianMixture([0.5, 0.3, 0.2], means, covariances)


def top(density: GaussianMixture | ScoreFlow, start: np.ndarray) -> np.ndarray:
    """The local maximum that SciPy finds from `start`."""
    return minimize(
        lambda x: -density.log_density(x[None])[0],
        start,
        jac=lambda x: -density.score(x[None])[0],
        method="BFGS",
        options={"gtol": 1e-9},
    ).x


def basin_masses(mixture: GaussianMixture, tops: np.ndarray, draws: int = 20_000) -> np.ndarray:
    """Masses of the mixture's basins, by plain small steps of gradient ascent."""
    x = mixture.draw(draws, rng=np.random.default_rng(7))
    step = 0.2 * np.linalg.eigvalsh(mixture.covariances).min()
    for _ in range(60):
        x += step * mixture.score(x)
    nearest = ((x[:, None] - tops) ** 2).sum(axis=2).argmin(axis=1)
    return np.bincount(nearest, minlength=len(tops)) / draws


@pytest.fixture(scope="module", params=[1, 2, 5])
def case(request: pytest.FixtureRequest) -> tuple[GaussianMixture, ScoreFlow, Modes]:
    mixture = corners(request.param)
    flow = make_flow(mixture)
    return mixture, flow, flow.modes(2000, rng=np.random.default_rng(1))


def test_as_many_modes_as_the_mixture_has(case: tuple) -> None:
    mixture, _, modes = case
    tops = np.array([top(mixture, mean) for mean in mixture.means])
    assert len(modes) == len(np.unique(tops.round(3), axis=0)) == 3
    assert modes.n_unassigned == modes.n_merged == 0
    gaps = np.abs(modes.locations[:, None] - tops).max(axis=2)
    smallest_sd = np.linalg.eigvalsh(mixture.covariances).min() ** 0.5
    assert sorted(gaps.argmin(axis=1)) == [0, 1, 2]
    assert gaps.min(axis=1).max() < SMOOTHED_AWAY * smallest_sd


def test_locations_are_local_maxima_of_the_flow(case: tuple) -> None:
    _, flow, modes = case
    for place, log_density in zip(modes.locations, modes.log_densities, strict=True):
        # BFGS ends where its gradient is 1e-9, or cannot fall further: 1e-7 at these curvatures.
        assert np.abs(top(flow, place + 0.05) - place).max() < 1e-6
        assert log_density == pytest.approx(flow.log_density(place[None])[0], abs=1e-9)


def test_masses_are_those_of_the_basins(case: tuple) -> None:
    """False alarm 1e-6; a mass wrong by .065 is caught (twice the band) in any dimension."""
    mixture, _, modes = case
    tops = np.array([top(mixture, place) for place in modes.locations])
    expected = basin_masses(mixture, tops)
    error = np.sqrt(expected * (1 - expected) * (1 / 2000 + 1 / 20_000))
    band = norm.isf(FALSE_ALARM / (2 * 9)) * error + DISCRETISATION
    assert np.all(np.abs(modes.masses - expected) < band)
    assert modes.masses.sum() == pytest.approx(1, abs=1e-12)
    assert np.all(np.diff(modes.masses) <= 0)


def test_intervals_are_wilsons(case: tuple) -> None:
    _, _, modes = case
    for count, interval in zip(modes.counts, modes.intervals, strict=True):
        oracle = binomtest(int(count), modes.n_draws).proportion_ci(0.95, method="wilson")
        assert interval == pytest.approx([oracle.low, oracle.high], rel=1e-12)


def test_intervals_cover() -> None:
    """Of 60 intervals for a mass of a half; false alarm 1e-6, sees a coverage of .6 (99 %)."""
    flow = make_flow(two_modes(8.0, dim=1), max_ratio=2.0)
    covered = 0
    for seed in range(60):
        low, high = flow.modes(100, rng=np.random.default_rng(seed)).intervals[0]
        covered += low <= 0.5 <= high
    # Wilson's interval at n = 100 and p = .5 covers with probability .943.
    assert covered >= binom.ppf(FALSE_ALARM, 60, 0.943)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_one_gaussian_has_one_mode(dim: int) -> None:
    frame = random_frame(dim, seed=dim)
    flow = make_flow(GaussianMixture([1.0], np.zeros((1, dim)), [np.eye(dim)]), frame=frame)
    modes = flow.modes(1000, rng=np.random.default_rng(0))
    assert len(modes) == 1
    assert modes.masses.tolist() == [1.0]
    assert modes.depths.tolist() == [np.inf]
    assert modes.n_merged == 0
    # By symmetry at the centre; a Newton step is as exact as its difference quotients.
    assert np.abs(modes.locations[0] - frame.loc).max() < 1e-6 * np.abs(frame.scale_tril).max()


@pytest.mark.parametrize("dim", [2, 5])
def test_depth_is_that_of_the_saddle(dim: int) -> None:
    """Between two equal Gaussians the pass is at the centre of symmetry."""
    flow = make_flow(two_modes(3.5, dim))
    modes = flow.modes(1000, rng=np.random.default_rng(0))
    assert len(modes) == 2
    depth = modes.log_densities.min() - flow.log_density(np.zeros((1, dim)))[0]
    # The pass is where the gradient vanishes to 1e-5, so its height is right to about 1e-10.
    assert modes.depths.min() == pytest.approx(depth, abs=1e-7)
    for shift, k in ((-1e-6, 2), (1e-6, 1)):
        again = flow.modes(1000, rng=np.random.default_rng(0), min_depth=depth + shift)
        assert (len(again), again.n_merged) == (k, 2 - k)


def test_a_ring_of_ripples_is_one_mode_unless_asked() -> None:
    """24 components of sd .3 on a circle of radius 3: 24 maxima, about .2 deep."""
    angle = np.arange(24) * np.pi / 12
    means = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    ring = GaussianMixture(np.full(24, 1 / 24), means, np.tile(0.09 * np.eye(2), (24, 1, 1)))
    flow = make_flow(ring)
    modes = flow.modes(1000, rng=np.random.default_rng(0))
    assert (len(modes), modes.n_merged, modes.masses[0]) == (1, 23, 1.0)
    ripples = flow.modes(1000, rng=np.random.default_rng(0), min_depth=0.0)
    assert (len(ripples), ripples.n_merged) == (24, 0)
    turn = np.pi / 24
    between = 3 * np.cos(turn) * np.array([[np.cos(turn), np.sin(turn)]])
    depth = ring.log_density([top(ring, means[0])])[0] - ring.log_density(between)[0]
    assert np.abs(np.sort(ripples.depths)[:23] - depth).max() < depth / 4


def test_a_light_and_narrow_mode_is_found() -> None:
    covariances = [np.eye(2), 0.01 * np.eye(2)]
    flow = make_flow(GaussianMixture([0.98, 0.02], [[0, 0], [6, 0]], covariances))
    modes = flow.modes(2000, rng=np.random.default_rng(0))
    assert len(modes) == 2
    assert modes.locations[1] == pytest.approx([6, 0], abs=0.01)


def test_basins_are_those_of_gradient_ascent() -> None:
    """Every draw near the divide of two unlike Gaussians is followed by small steps."""
    covariances = [[[1, 0.6], [0.6, 1]], [[0.8, -0.5], [-0.5, 0.5]]]
    mixture = GaussianMixture([0.35, 0.65], [[0, 0], [3, 1]], covariances)
    flow = make_flow(mixture)
    modes = flow.modes(200, rng=np.random.default_rng(3))
    draws = flow.draw(200, rng=np.random.default_rng(3))
    share = mixture.responsibilities(draws)[:, 1]
    unsure = np.flatnonzero((share > 1e-3) & (share < 0.999))
    step = 0.2 * float(np.linalg.eigvalsh(covariances).min())
    ends = []
    for shift in (-0.03, 0.03):
        x = draws[unsure] + shift
        for _ in range(100):
            x += step * flow.score(x)
        ends.append(np.linalg.norm(x - modes.locations[0], axis=1) < 1.5)
    sure, either = ends[0] & ends[1], ends[0] | ends[1]
    assert len(unsure) > 10
    assert np.sum(either & ~sure) <= 2
    assert modes.locations[0, 0] > 1.5  # the heavier mode is the second component's
    clear = np.sum(share >= 0.999)
    assert clear + sure.sum() <= modes.counts[0] <= clear + either.sum()


def test_same_generator_same_bits() -> None:
    flow = make_flow(two_modes(4.0))
    first, second = (flow.modes(300, rng=np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.to_frame(), second.to_frame())


def test_what_does_not_arrive_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ascent, "CONVERGED", -1.0)
    modes = make_flow(two_modes(6.0)).modes(100, rng=np.random.default_rng(0))
    assert (len(modes), modes.n_unassigned, modes.masses.sum()) == (0, 100, 0)
    assert "100 of them unassigned" in str(modes)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    modes = make_flow(two_modes(6.0)).modes(200, rng=np.random.default_rng(0))
    table = modes.to_frame()
    figures = ["log_density", "mass", "standard_error", "lower", "upper", "depth"]
    assert list(table.columns) == ["x0", "x1", *figures]
    assert table.index.tolist() == [1, 2]
    assert np.array_equal(table[["x0", "x1"]], modes.locations)
    assert "200 draws, 0 of them unassigned; 95 % intervals" in str(modes)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 49}, "at least 50 draws; got n = 49"),
        ({"min_depth": -0.1}, "min_depth >= 0 nats; got -0.1"),
        ({"min_depth": float("nan")}, "min_depth >= 0 nats; got nan"),
        ({"confidence": 95}, "0 < confidence < 1"),
    ],
)
def test_misuse(options: dict, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        make_flow(two_modes(4.0)).modes(rng=np.random.default_rng(0), **options)


def test_merging_by_hand() -> None:
    place = np.zeros(1)
    passes = {(0, 1): (1.0, place), (1, 2): (2.5, place), (0, 2): (0.0, place)}
    into, depths = merge(np.array([5.0, 4.0, 3.0]), passes, MIN_DEPTH)
    assert into.tolist() == [0, 1, 1]
    assert depths.tolist() == [np.inf, 3.0, 0.5]


@given(st.lists(st.integers(0, 9), min_size=3, max_size=12), st.integers(0, 6))
def test_merging_keeps_exactly_the_deep(heights: list[int], min_depth: int) -> None:
    """On a profile of distinct heights, against the definition of depth on all paths."""
    profile = np.array(heights) + np.arange(len(heights)) / 16
    peaks = [i for i in range(len(profile)) if profile[i] == profile[max(i - 1, 0) : i + 2].max()]
    peaks.sort(key=lambda i: -profile[i])
    passes = {}
    for left, right in zip(sorted(peaks)[:-1], sorted(peaks)[1:], strict=True):
        pair = tuple(sorted((peaks.index(left), peaks.index(right))))
        passes[pair] = float(profile[left:right].min()), np.zeros(1)
    into, depths = merge(profile[peaks], passes, min_depth)
    for i, peak in enumerate(peaks):
        higher = [profile[min(peak, other) : max(peak, other) + 1].min() for other in peaks[:i]]
        assert depths[i] == (profile[peak] - max(higher) if higher else np.inf)
    kept = [i for i, depth in enumerate(depths) if depth >= min_depth]
    assert np.unique(into).tolist() == kept
