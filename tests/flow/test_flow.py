"""The flow as a map: inverse, density, gradients, and what it says where it cannot answer."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.errors import BadData, InversionFailed
from symscore.flow.flow import ScoreFlow
from symscore.learn.blend import BlendedScore
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from tests.flows import make_blended_ladder, make_flow, make_ladder, random_frame, random_mixture
from tests.tolerances import EPS, derivative, roundoff

# Cells that overlap, as differences cannot resolve the bridges of far modes in z; each in a frame
# of its own.
FLOWS = {
    f"d={d} cells={cells} degree={degree}": make_flow(
        random_mixture(d, cells, seed, spread=0.8), degree=degree, frame=random_frame(d, seed)
    )
    for seed, (d, cells, degree) in enumerate([(1, 3, 3), (2, 3, -1), (2, 4, 2), (5, 3, 1)])
}
# Levels of one, two and three members, of different numbers of cells, degrees and damping radii.
FLOWS["d=2 blends"] = ScoreFlow(
    make_blended_ladder(
        2,
        [(3, 2, 3.0), (2, -1, 3.0), (4, 1, 2.0)],
        spread=0.8,
        frame=random_frame(2, 7),
    )
)
FLOWS["d=1 blends"] = ScoreFlow(make_blended_ladder(1, [(2, 1, 3.0), (3, 3, 4.0)], spread=0.8))
each_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)


def latent(flow: ScoreFlow, n: int) -> FloatArray:
    return np.random.default_rng(n).normal(size=(n, flow.dim))


def latent_slope(flow: ScoreFlow, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """dx/dz (n, d, d) by differences and their error; gates may be thin in z."""
    stretch = np.abs(derivative(flow.from_latent, z)[0]).max()
    noise = 100 * EPS * (1 + np.abs(z).max()) * float(stretch)  # rounding of z alone, magnified
    return derivative(flow.from_latent, z, step=2.0**-14, noise=noise)


def inverse_error(flow: ScoreFlow, x: FloatArray, z: FloatArray) -> float:
    """What rounding in every step leaves of x: 100 eps |z| sigma_max(dx/dz), at least of |x|."""
    stretch = np.linalg.norm(latent_slope(flow, z)[0], ord=2, axis=(1, 2)).max()
    return 100 * EPS * (1 + np.abs(z).max()) * float(stretch) + roundoff(100, np.abs(x).max())


# ---- the map and its inverse


@each_flow
def test_round_trip_of_draws(flow):
    z = latent(flow, 300)
    x = flow.from_latent(z)
    back = flow.to_latent(x)
    assert np.abs(flow.from_latent(back) - x).max() <= 1e-8  # the promise, in the data's units
    assert np.abs(back - z).max() <= 1e-8
    assert np.abs(flow.from_latent(back) - x).max() <= 10 * inverse_error(flow, x, z)


@each_flow
@pytest.mark.parametrize("radius", [4.0, 8.0, 20.0])
def test_round_trip_of_shells(flow, radius):
    directions = latent(flow, 20)
    z = radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    x = flow.from_latent(z)
    again = flow.from_latent(flow.to_latent(x))
    assert np.abs(again - x).max() <= 10 * inverse_error(flow, x, z)


@each_flow
def test_pullback_is_the_derivative_of_the_map(flow):
    z, cotangent = latent(flow, 10), latent(flow, 11)[:10]
    slope, error = latent_slope(flow, z)
    want = np.einsum("nij,ni->nj", slope, cotangent)
    limit = np.einsum("nij,ni->nj", error, np.abs(cotangent))
    assert np.all(np.abs(flow.latent_pullback(z, cotangent) - want) <= limit)
    assert np.median(limit) <= 1e-6 * np.abs(want).max()  # so that the comparison says something


def test_path_ends_in_the_image():
    flow = FLOWS["d=2 cells=4 degree=2"]
    z, schedule = latent(flow, 5), flow.ladder.schedule
    path = flow.latent_path(z)
    assert path.shape == (schedule.n_steps + 1, 5, 2)
    assert np.abs(path[0] - z * np.hypot(1, schedule.kappas[0])).max() <= roundoff(8, 4.0)
    x = flow.ladder.frame.unwhiten(path[-1] / schedule.kappas[-1])
    assert np.abs(x - flow.from_latent(z)).max() <= roundoff(32, np.abs(x).max() + 4)


# ---- density


@each_flow
def test_density_is_the_change_of_variables(flow):
    z = latent(flow, 20)
    slope, error = latent_slope(flow, z)
    sign, log_det = np.linalg.slogdet(slope)
    normal = -0.5 * (z**2).sum(axis=1) - 0.5 * flow.dim * np.log(2 * np.pi)
    # d log det = tr(slope^-1 d slope).
    limit = 2 * np.einsum("nij,nji->n", np.abs(np.linalg.inv(slope)), error)
    got = flow.log_density(flow.from_latent(z))
    assert np.all(sign > 0)
    assert np.all(np.abs(got - (normal - log_det)) <= limit + roundoff(10**4, 1 + np.abs(got)))
    assert np.median(limit) <= 1e-5  # so that the comparison says something


@each_flow
def test_score_is_the_gradient_of_the_log_density(flow):
    x = flow.from_latent(latent(flow, 12))
    want, error = derivative(flow.log_density, x, step=2.0**-13)
    got = flow.score(x)
    assert np.all(np.abs(got - want) <= error)
    assert error.max() <= 1e-5 * np.abs(want).max()


@each_flow
def test_value_and_gradient_of_one_call_are_those_of_two(flow):
    x = flow.from_latent(latent(flow, 30))
    value, score = flow.log_density_and_score(x)
    assert (value == flow.log_density(x)).all()
    assert (score == flow.score(x)).all()


def test_one_gaussian_is_mapped_by_a_known_matrix():
    # Steps multiply y - kappa m, per eigendirection, by R(kappa^2 S): docs/method.md, section 4.
    mean, rng = np.array([0.5, -0.2]), np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    variances = np.array([0.2, 1.5])
    covariance = turn * variances @ turn.T
    flow = make_flow(GaussianMixture([1.0], [mean], [(covariance + covariance.T) / 2]))
    kappas, rule = flow.ladder.schedule.kappas, flow.ladder.schedule.rule
    growth = np.ones(2)
    for kappa, following in pairwise(kappas):
        h = following - kappa
        middle = kappa + rule.a * h
        first, second = (k * variances / (k**2 * variances + 1) for k in (kappa, middle))
        growth *= 1 + h * ((1 - rule.w) * first + rule.w * second * (1 + rule.a * h * first))
    z = latent(flow, 50)
    start = np.hypot(1, kappas[0]) * z - kappas[0] * mean
    want = mean + (start @ turn * growth) @ turn.T / kappas[-1]
    roundings = 64 * len(kappas)
    assert np.abs(flow.from_latent(z) - want).max() <= roundoff(roundings, 8.0)
    log_det = (np.log(growth) + np.log(np.hypot(1, kappas[0]) / kappas[-1])).sum()
    log_normal = -0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi)
    got = flow.log_density(flow.from_latent(z))
    assert np.abs(got - (log_normal - log_det)).max() <= roundoff(roundings, 40.0)
    # And it is the Gaussian, but for smoothing by 1 / kappa_N and the two ends of the ladder.
    assert np.abs(growth * np.hypot(1, kappas[0]) / kappas[-1] / variances**0.5 - 1).max() < 0.01


def test_the_frame_moves_the_density():
    crude, frame = random_mixture(2, 3, 7), random_frame(2, 3)
    plain, framed = make_flow(crude), make_flow(crude, frame=frame)
    u = plain.from_latent(latent(plain, 20))
    x = frame.unwhiten(u)
    shift = np.log(np.diagonal(frame.scale_tril)).sum()
    got, want = framed.log_density(x), plain.log_density(u) - shift
    # whiten(unwhiten(u)) is off by a few ulps of |x|, which the gradient magnifies.
    moved = roundoff(64, np.linalg.cond(frame.scale_tril) * np.abs(x).max())
    steep = np.abs(plain.score(u)).sum(axis=1)
    assert np.all(np.abs(got - want) <= moved * steep + roundoff(2000, 1 + np.abs(want)))


def test_fields_of_the_exact_denoiser_give_nearly_the_mixture():
    crude = random_mixture(2, 3, 11)
    flow = make_flow(crude)
    x = crude.draw(2000, rng=np.random.default_rng(0))
    missing = np.clip(-np.expm1(flow.log_density(x) - crude.log_density(x)), 0, None)
    # Total variation from discretisation and from a hundredth of the variance smoothed away.
    assert missing.mean() < 0.05


# ---- blends


def blend_every_level(ladder: ScoreLadder, shares: list[float]) -> ScoreFlow:
    """The flow whose level is its field so many times, with these shares."""
    fields = [BlendedScore((field,) * len(shares), np.array(shares)) for field in ladder.fields]
    return ScoreFlow(replace(ladder, fields=tuple(fields)))


def everything(flow: ScoreFlow, z: FloatArray) -> list[FloatArray]:
    x = flow.from_latent(z)
    return [x, *flow.log_density_and_score(x), flow.latent_pullback(z, z)]


def test_levels_of_blends_are_of_different_sizes():
    for name in ("d=2 blends", "d=1 blends"):
        fields = FLOWS[name].ladder.fields
        members = {len(field.members) for field in fields}
        assert members == set(range(1, 1 + max(members)))
        assert len({m.size for field in fields for m in field.members}) > 1


def test_a_flow_of_blends_of_one_is_the_flow_bit_for_bit():
    flow = FLOWS["d=2 cells=4 degree=2"]
    alone, z = blend_every_level(flow.ladder, [1.0]), latent(flow, 40)
    for one, other in zip(everything(alone, z), everything(flow, z), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.25, 0.5, 0.25], [0.2, 0.8]])
def test_a_flow_of_blends_of_equal_members_is_the_flow_to_rounding(shares):
    flow = FLOWS["d=2 cells=4 degree=2"]
    several, z = blend_every_level(flow.ladder, shares), latent(flow, 40)
    x, *others = everything(flow, z)
    y, *found = everything(several, z)
    error = inverse_error(flow, x, z)
    assert np.abs(y - x).max() <= 10 * error
    # Density, gradient and pullback move by their own slopes times that, and by ulps of their own.
    for one, other in zip(found, others, strict=True):
        size = 1 + np.abs(other).max()
        assert np.abs(one - other).max() <= 10**4 * error * size


def test_a_member_of_little_share_moves_the_flow_by_little():
    ladder = make_ladder(random_mixture(2, 3, 3, spread=0.8), degree=1, amplitude=0.05)
    z = np.random.default_rng(0).normal(size=(50, 2))
    want, moves = ScoreFlow(ladder).from_latent(z), []
    for share in (1e-2, 1e-4):
        fields = [
            BlendedScore((field, field.scaled(0.0)), np.array([1 - share, share]))
            for field in ladder.fields
        ]
        moved = ScoreFlow(replace(ladder, fields=tuple(fields))).from_latent(z)
        moves.append(np.abs(moved - want).max())
    # To first order the image moves in proportion to the share.
    assert abs(moves[0] / moves[1] - 100) < 5


# ---- where there is no answer


@each_flow
@pytest.mark.parametrize("ask", ["to_latent", "log_density", "score", "log_density_and_score"])
def test_points_beyond_all_numbers_fail_by_name(flow, ask):
    x = flow.from_latent(latent(flow, 3))
    x[1] = 1e200
    with pytest.raises(
        InversionFailed, match=r"1 of 3 failed, the first being row 1, x = \[1\.e\+200"
    ):
        getattr(flow, ask)(x)


@pytest.mark.parametrize("ask", ["to_latent", "from_latent", "log_density", "score"])
@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0.0, np.nan]], "finite [xz]; got nan at row 0, column 1"),
        ([[0.0, 0.0], [np.inf, 0.0]], "finite [xz]; got inf at row 1, column 0"),
        ([[0.0]], r"[xz] of shape \(any, 2\); got \(1, 1\)"),
        ([0.0, 0.0], r"[xz] of shape \(any, 2\); got \(2,\)"),
    ],
)
def test_points_that_are_none_are_refused(ask, points, message):
    flow = FLOWS["d=2 cells=3 degree=-1"]
    with pytest.raises(BadData, match=f"Expected {message}"):
        getattr(flow, ask)(points)


def test_a_cotangent_that_is_none_is_refused():
    flow = FLOWS["d=2 cells=3 degree=-1"]
    with pytest.raises(BadData, match="finite cotangent"):
        flow.latent_pullback(np.zeros((1, 2)), [[np.nan, 0.0]])


@each_flow
def test_no_rows_are_an_answer(flow):
    none = np.empty((0, flow.dim))
    assert flow.from_latent(none).shape == (0, flow.dim)
    assert flow.to_latent(none).shape == (0, flow.dim)
    assert flow.log_density(none).shape == (0,)
    assert flow.score(none).shape == (0, flow.dim)


def test_rows_do_not_see_each_other():
    flow = FLOWS["d=2 cells=4 degree=2"]
    x = flow.from_latent(latent(flow, 130))
    value, score = flow.log_density_and_score(x)
    alone = [flow.log_density_and_score(x[row : row + 1]) for row in (0, 63, 64, 129)]
    for row, (one_value, one_score) in zip((0, 63, 64, 129), alone, strict=True):
        assert one_value[0] == value[row]
        assert (one_score[0] == score[row]).all()
