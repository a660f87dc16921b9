"""The compiled kernels against their readable twin, differences and exact mixtures."""

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn import reference
from symscore.learn.batch import denoise_batch, jacobian_batch
from symscore.learn.blend import BlendedScore, SoftScore
from symscore.learn.curvature import add_jacobian_gradient
from symscore.learn.field import PiecewiseScore
from symscore.learn.kernels import field_scratch, jacobian
from symscore.learn.packed import pack
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_blend, random_field, random_mixture
from tests.tolerances import derivative, roundoff

# (dimension, cells, degree, kappa): noisy to sharp levels; degree -1 is the mixture alone.
SHAPES = [
    (1, 1, 3, 0.05),
    (1, 4, 2, 20.0),
    (2, 3, 3, 1.0),
    (2, 5, 0, 6.0),
    (2, 3, -1, 2.0),
    (3, 4, 2, 3.0),
    (5, 3, 1, 0.4),
    (5, 2, 2, 8.0),
]
FIELDS = {
    f"d={d} cells={cells} degree={degree} kappa={kappa}": random_field(
        random_mixture(d, cells, seed), kappa, degree, 0.3, seed
    )
    for seed, (d, cells, degree, kappa) in enumerate(SHAPES)
}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)


def noised(field: PiecewiseScore, n: int = 40) -> FloatArray:
    """Points y where the level has its mass, and some outside."""
    rng = np.random.default_rng(11)
    kappa = field.level.kappa
    y = kappa * field.crude.draw(n, rng=rng) + rng.normal(size=(n, field.dim))
    y[::4] += 2 * kappa * rng.normal(size=y[::4].shape)
    return y


def rounding(field: PiecewiseScore, y: FloatArray) -> float:
    """Forward error of the denoiser at y: of log gates first, then of what they average.

    u = L^-1 (y - centre) is off by ulps of |u| cond(V) + |L^-1| (|y| + |centre|), a log gate by |u|
    times that, and a damped polynomial by ulps of degree (1 + |u|)^degree exp(-|u|^2 / 2 rho^2).
    """
    crude, kappa, degree = field.crude, field.level.kappa, max(field.degree, 0)
    carried = kappa**2 * crude.covariances + np.eye(field.dim)
    precision = np.linalg.inv(carried)
    spectrum = np.linalg.eigvalsh(carried)
    centred = y[:, None] - kappa * crude.means
    u = np.sqrt(np.einsum("nci,cij,ncj->nc", centred, precision, centred))
    sizes = np.linalg.norm(y, axis=1)[:, None] + kappa * np.linalg.norm(crude.means, axis=1)
    of_u = u * spectrum[:, -1] / spectrum[:, 0] + sizes * spectrum[:, 0] ** -0.5
    gates = GaussianMixture(crude.weights, kappa * crude.means, carried).responsibilities(y)
    own = np.linalg.norm(crude.means, axis=1) + sizes / kappa
    damped = (1 + degree) * (1 + u) ** degree * np.exp(-0.5 * (u / field.rho) ** 2)
    deviation = damped * np.abs(field.coef).sum(axis=(1, 2))
    errors = (1 + u) * (1 + of_u) * (own + deviation)
    return float(roundoff(16 * field.dim, (gates * errors).sum(axis=1).max()))


# ---- one level


@each_field
def test_denoiser_is_the_twins(field):
    y = noised(field)
    got = denoise_batch(field.packed, y)
    assert np.abs(got - reference.denoise(field, y)).max() <= rounding(field, y)


@each_field
def test_jacobian_is_the_derivative_of_the_twin(field):
    y = noised(field)
    value, slope = jacobian_batch(field.packed, y)
    want, error = derivative(lambda at: reference.denoise(field, at), y, noise=rounding(field, y))
    assert np.abs(value - denoise_batch(field.packed, y)).max() <= rounding(field, y)
    assert np.all(np.abs(slope - want) <= error)
    assert error.max() < 1e-3 * np.abs(want).max()  # so that the comparison says something


def curvature(field: SoftScore, y: FloatArray, cotangents: FloatArray) -> FloatArray:
    """Gradients of <P, D'(y)> (n, d) by the kernel, which adds them to what is there."""
    d, (numbers, layout) = field.dim, field.packed
    got = np.empty_like(y)
    for row, (point, cotangent) in enumerate(zip(y, cotangents, strict=True)):
        # y, D(y), the gradient, D'(y), the cotangent, then the kernels' own scratch.
        value, out, slope, matrix, at = d, 2 * d, 3 * d, 3 * d + d * d, 3 * d + 2 * d * d
        work = np.concatenate([np.zeros(at), np.full(field_scratch(layout), np.nan)])
        work[:d], work[matrix:at] = point, cotangent.ravel()
        work[out:slope] = 7.0
        jacobian(numbers, layout, 0, work, 0, value, slope, at)
        add_jacobian_gradient(numbers, layout, 0, work, 0, matrix, out, at)
        got[row] = work[out:slope] - 7.0
    return got


@each_field
def test_curvature_is_the_derivative_of_the_jacobian(field):
    y = noised(field, 12)
    cotangents = np.random.default_rng(3).normal(size=(len(y), field.dim, field.dim))
    got = curvature(field, y, cotangents)
    steep = np.abs(cotangents).sum(axis=(1, 2)).max() * max(1.0, 1 / field.level.kappa)
    want, error = derivative(
        lambda at: np.einsum("nij,nij->n", cotangents, jacobian_batch(field.packed, at)[1]),
        y,
        noise=rounding(field, y) * steep,
    )
    assert np.all(np.abs(got - want) <= error + roundoff(8, 7.0))
    assert error.max() < 1e-3 * np.abs(want).max()


@each_field
def test_score_and_its_jacobian_are_of_the_coordinates_of_x(field):
    alpha, sigma = field.level.alpha, field.level.sigma
    x = sigma * noised(field, 12)
    assert (field.denoise(x) == denoise_batch(field.packed, x / sigma)).all()
    limit = roundoff(8, (alpha * np.abs(field.denoise(x)) + np.abs(x)) / sigma**2)
    tweedie = (alpha * field.denoise(x) - x) / sigma**2
    assert np.all(np.abs(field.score(x) - tweedie) <= limit)
    noise = rounding(field, x / sigma) * alpha / sigma**2
    want, error = derivative(field.score, x, step=2.0**-11 * sigma, noise=noise)
    assert np.all(np.abs(field.jacobian(x) - want) <= error)


@each_field
def test_zero_coefficients_are_the_crude_mixture_itself(field):
    none, zero = field.scaled(0.0), PiecewiseScore(field.crude, field.level, field.coef[:, :0])
    y = noised(field)
    x = field.level.sigma * y
    assert (zero.denoise(x) == none.denoise(x)).all()
    # The oracle divides x + sigma^2 score by alpha, which magnifies the rounding of x.
    cancelled = roundoff(64, (np.abs(x).max() + 1) / field.level.alpha)
    want = field.crude.at(field.level).denoise(x)
    assert np.abs(zero.denoise(x) - want).max() <= rounding(zero, y) + cancelled


@each_field
@pytest.mark.parametrize("distance", [1e4, 1e50, 1e100])
def test_far_out_the_nearest_component_answers(field, distance):
    crude, kappa, d = field.crude, field.level.kappa, field.dim
    rng = np.random.default_rng(2)
    directions = rng.normal(size=(20, d))
    y = distance * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    value = denoise_batch(field.packed, y)
    if distance < 1e100:  # products of four coordinates overflow there
        assert np.isfinite(jacobian_batch(field.packed, y)[1]).all()
    carried = kappa**2 * crude.covariances + np.eye(d)
    forms = np.einsum("ni,cij,nj->nc", y, np.linalg.inv(carried), y)
    order = np.sort(forms, axis=1)
    clear = np.flatnonzero((order[:, 1:2] > 2 * order[:, :1]).any(axis=1) | (len(carried) == 1))
    nearest = forms.argmin(axis=1)
    gain = kappa * crude.covariances @ np.linalg.inv(carried)
    want = np.einsum("nij,nj->ni", gain[nearest], y)
    shift = np.abs(crude.means).max() * (1 + kappa * np.abs(gain).sum(axis=(1, 2)).max())
    # Gates and damping are exactly 0 or 1 here: what rounds is one gain times y.
    ulps = roundoff(16 * d * d, float(np.linalg.cond(carried).max()) * np.abs(want).max())
    assert np.isfinite(value).all()
    assert np.all(np.abs(value - want)[clear] <= d * shift + ulps)


# ---- blends of several fields

# Members of different numbers of cells, degrees and damping radii: the scratch is of the largest.
BLENDS = {
    "d=1 noisy": random_blend(0.3, 1, [(4, 3, 3.0), (1, -1, 3.0)], amplitude=0.3),
    "d=2 three": random_blend(1.5, 2, [(2, 1, 2.0), (5, 3, 4.0), (3, -1, 3.0)], amplitude=0.3),
    "d=2 sharp": random_blend(8.0, 2, [(6, 0, 3.0), (2, 2, 2.0)], amplitude=0.3),
    "d=4": random_blend(2.0, 4, [(1, 1, 3.0), (4, 2, 3.0)], amplitude=0.3),
}
each_blend = pytest.mark.parametrize("blend", BLENDS.values(), ids=BLENDS)


def about(blend: BlendedScore, n: int = 30) -> FloatArray:
    """Points where the members have their mass, and some outside."""
    return np.concatenate([noised(member, n) for member in blend.members])


def blend_rounding(blend: BlendedScore, y: FloatArray) -> float:
    return sum(rounding(member, y) for member in blend.members)


def twin(blend: BlendedScore, y: FloatArray) -> FloatArray:
    """The average of the members' twins."""
    parts = [reference.denoise(member, y) for member in blend.members]
    return np.einsum("m,mni->ni", blend.shares, parts)


@each_blend
def test_denoiser_of_a_blend_is_the_average_of_the_members_twins(blend):
    y = about(blend)
    got = denoise_batch(blend.packed, y)
    assert np.abs(got - twin(blend, y)).max() <= blend_rounding(blend, y)


@each_blend
def test_jacobian_of_a_blend_is_the_average_of_the_members(blend):
    y = about(blend)
    value, slope = jacobian_batch(blend.packed, y)
    assert np.abs(value - twin(blend, y)).max() <= blend_rounding(blend, y)
    parts = [jacobian_batch(member.packed, y)[1] for member in blend.members]
    want = np.einsum("m,mnij->nij", blend.shares, parts)
    assert np.all(np.abs(slope - want) <= roundoff(8, np.abs(parts).sum(axis=0)))
    differences, error = derivative(lambda at: twin(blend, at), y, noise=blend_rounding(blend, y))
    assert np.all(np.abs(slope - differences) <= error)
    assert error.max() < 1e-3 * np.abs(slope).max()  # so that the comparison says something


@each_blend
def test_curvature_of_a_blend_is_the_derivative_of_its_jacobian(blend):
    y = about(blend, 6)
    cotangents = np.random.default_rng(3).normal(size=(len(y), blend.dim, blend.dim))
    got = curvature(blend, y, cotangents)
    parts = [curvature(member, y, cotangents) for member in blend.members]
    average = np.einsum("m,mni->ni", blend.shares, parts)
    size = np.abs(parts).sum(axis=0) + 7.0
    assert np.all(np.abs(got - average) <= roundoff(10**4, size))
    steep = np.abs(cotangents).sum(axis=(1, 2)).max() * max(1.0, 1 / blend.level.kappa)
    want, error = derivative(
        lambda at: np.einsum("nij,nij->n", cotangents, jacobian_batch(blend.packed, at)[1]),
        y,
        noise=blend_rounding(blend, y) * steep,
    )
    assert np.all(np.abs(got - want) <= error + roundoff(8, 7.0))
    assert error.max() < 1e-3 * np.abs(want).max()


@each_field
def test_a_blend_of_one_member_is_the_member(field):
    alone = BlendedScore((field,), np.ones(1))
    y = noised(field, 12)
    cotangents = np.random.default_rng(3).normal(size=(len(y), field.dim, field.dim))
    for one, other in zip(alone.packed, field.packed, strict=True):
        assert one.tobytes() == other.tobytes()
    assert (denoise_batch(alone.packed, y) == denoise_batch(field.packed, y)).all()
    assert (curvature(alone, y, cotangents) == curvature(field, y, cotangents)).all()


def test_a_blend_of_equal_members_is_one_of_them():
    field = FIELDS["d=2 cells=3 degree=3 kappa=1.0"]
    y = noised(field)
    half = BlendedScore((field, field), np.full(2, 0.5))
    # Halving is exact; the denoiser adds its cells in two rounds, the jacobian whole members.
    parts = denoise_batch(half.packed, y), denoise_batch(field.packed, y)
    assert np.abs(parts[0] - parts[1]).max() <= rounding(field, y)
    assert (jacobian_batch(half.packed, y)[1] == jacobian_batch(field.packed, y)[1]).all()


def test_levels_of_all_numbers_of_members_share_the_vectors():
    fields = [*BLENDS.values()][1:3]
    fields.insert(1, FIELDS["d=2 cells=5 degree=0 kappa=6.0"])
    together = pack(fields)
    for level, field in enumerate(fields):
        y = about(fields[0])
        assert (denoise_batch(together, y, level) == denoise_batch(field.packed, y)).all()
        for one, other in zip(
            jacobian_batch(together, y, level), jacobian_batch(field.packed, y), strict=True
        ):
            assert (one == other).all()


# ---- several levels in one pair of vectors


def test_levels_of_all_sizes_share_the_vectors():
    fields = [
        random_field(random_mixture(2, c, c), 0.3 * c, degree, 0.2, c)
        for c, degree in ((3, 2), (1, -1), (6, 0), (2, 3))
    ]
    together = pack(fields)
    for level, field in enumerate(fields):
        y = noised(field)
        assert (denoise_batch(together, y, level) == denoise_batch(field.packed, y)).all()
        assert (jacobian_batch(together, y, level)[1] == jacobian_batch(field.packed, y)[1]).all()


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513])
def test_any_number_of_rows(n):
    field = FIELDS["d=2 cells=3 degree=3 kappa=1.0"]
    y = noised(field, 513)
    assert (denoise_batch(field.packed, y[:n]) == denoise_batch(field.packed, y)[:n]).all()


# ---- fields


def test_scaling_scales_the_deviation():
    field = FIELDS["d=2 cells=3 degree=3 kappa=1.0"]
    y = noised(field)
    crude, whole, half = (
        denoise_batch(field.scaled(factor).packed, y) for factor in (0.0, 1.0, 0.5)
    )
    assert np.abs(half - (crude + whole) / 2).max() <= rounding(field, y)


@pytest.mark.parametrize("size", [2, 4, 5])
def test_a_number_of_features_of_no_degree_is_refused(size):
    crude = random_mixture(2, 2, 0)
    with pytest.raises(BadOption, match=f"features of one degree; got {size} of them"):
        PiecewiseScore(crude, NoiseLevel(0.6, 0.8), np.zeros((2, size, 2)))


@pytest.mark.parametrize("rho", [0.0, -1.0, np.nan])
def test_a_radius_that_is_none_is_refused(rho):
    with pytest.raises(BadOption, match="Expected rho > 0"):
        PiecewiseScore(random_mixture(2, 2, 0), NoiseLevel(0.6, 0.8), np.zeros((2, 3, 2)), rho)


@pytest.mark.parametrize("shape", [(3, 3, 2), (2, 3, 1), (2, 3)])
def test_coefficients_of_another_shape_are_refused(shape):
    with pytest.raises(BadData, match="Expected coef of shape"):
        PiecewiseScore(random_mixture(2, 2, 0), NoiseLevel(0.6, 0.8), np.zeros(shape))
