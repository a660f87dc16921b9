"""Normal equations of the denoising regression against explicit rows and NumPy's least squares."""

import numpy as np
import pytest

from symscore import arrays
from symscore.arrays import FloatArray
from symscore.errors import BadData, ResourceLimit
from symscore.learn import reference, statistics
from symscore.learn.field import PiecewiseScore
from symscore.learn.statistics import (
    ROWS,
    LevelStatistics,
    accumulate,
    accumulate_folds,
    regression_noise,
)
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_mixture
from tests.tolerances import monte_carlo, roundoff

RHO = 3.0
FLOOR = 1e-7  # the sums may leave out features whose gate times damping is not above this
# (dimension, cells, degree, kappa); the sharp level leaves many gates under the kernel's floor.
SHAPES = [(1, 3, 3, 0.5), (2, 4, 2, 1.5), (2, 3, 0, 15.0), (3, 2, 1, 4.0), (5, 2, 2, 0.1)]
each_shape = pytest.mark.parametrize(("dim", "cells", "degree", "kappa"), SHAPES)


def rows_of(dim: int, n: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Data of one mixture, to be regressed on the cells of another, with uneven weights."""
    rng = np.random.default_rng(seed)
    x = random_mixture(dim, 4, seed + 50).draw(n, rng=rng)
    return x, rng.dirichlet(np.full(n, 3.0))


def sums(dim, cells, degree, kappa, n=300) -> tuple[LevelStatistics, FloatArray, FloatArray]:
    crude = random_mixture(dim, cells, seed=cells)
    x, weights = rows_of(dim, n)
    noises = [regression_noise(3, level, x.shape) for level in (0, 1)]
    total = accumulate(crude, kappa, x, weights, noises, degree=degree, rho=RHO)
    y = np.concatenate([kappa * x + sign * z for z in noises for sign in (1, -1)])
    return total, y, np.tile(x, (4, 1))


def explicit(total: LevelStatistics, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Features (m, C F), crude denoiser and weights of every noised row, by the twin."""
    phi, crude = reference.features(total.crude, total.kappa, total.rho, total.degree, y)
    _, weights = rows_of(y.shape[1], len(y) // 4)
    return phi.reshape(len(y), -1), crude, np.tile(weights, 4) / 4


def floor_error(total: LevelStatistics, phi: FloatArray) -> FloatArray:
    """(m, C F) what leaving out features with gate times damping <= FLOOR changes in phi."""
    blocks = phi.reshape(len(phi), total.crude.n_components, -1)
    # The first polynomial is 1: its feature is the gate times the damping.
    left_out = np.abs(blocks[:, :, :1]) <= FLOOR * (1 + 1e-6)
    return np.abs(np.where(left_out, blocks, 0.0)).reshape(phi.shape)


@each_shape
def test_sums_are_the_twins(dim, cells, degree, kappa):
    total, y, target = sums(dim, cells, degree, kappa)
    phi, crude, v = explicit(total, y)
    residual, lost = target - crude, floor_error(total, phi)
    gram, cross, energy = reference.normal_equations(total.field(degree, 1.0), degree, y, target, v)
    size = np.abs(phi) + lost
    # Log gates of size |log term| and the sums themselves round; the floor leaves something out.
    ulps = roundoff(64 * dim * len(y), 1.0)
    of_gram = lost.T @ (v[:, None] * size)
    assert np.all(
        np.abs(total.gram - gram) <= of_gram + of_gram.T + ulps * size.T @ (v[:, None] * size)
    )
    of_cross = (lost + ulps * size).T @ (v[:, None] * np.abs(residual))
    spread = ulps * size.T @ (v[:, None] * (np.abs(target) + np.abs(crude)))
    assert np.all(np.abs(total.cross - cross) <= of_cross + spread)
    assert abs(total.energy - energy) <= ulps * (v @ (target**2 + crude**2)).sum()
    assert abs(total.weight - 1) <= roundoff(len(y), 1)


def test_the_floor_is_met_and_small():
    total, y, _ = sums(2, 3, 0, 15.0)
    phi, _, v = explicit(total, y)
    lost = floor_error(total, phi)
    assert np.any((lost > 0) & (lost > FLOOR / 100))
    assert (lost.T @ (v[:, None] * np.abs(phi))).max() <= FLOOR


def test_gram_is_symmetric():
    gram = sums(2, 4, 2, 1.5)[0].gram
    assert (gram == gram.T).all()


@pytest.mark.parametrize("cut", [ROWS, 2 * ROWS])
def test_merging_whole_blocks_is_exact(cut):
    # Within two blocks after the cut, the order of additions is the same; after more, it is not.
    x, weights = rows_of(2, cut + 100)
    crude, noise = random_mixture(2, 3, 3), regression_noise(0, 0, x.shape)
    parts = [
        accumulate(crude, 2.0, x[p], weights[p], [noise[p]], degree=1, rho=RHO)
        for p in (slice(cut), slice(cut, None), slice(None))
    ]
    merged = parts[0] + parts[1]
    assert (merged.gram == parts[2].gram).all()
    assert (merged.cross == parts[2].cross).all()
    assert merged.energy == parts[2].energy


def test_merging_any_parts_is_exact_up_to_the_order_of_sums():
    x, weights = rows_of(2, 700)
    crude, noise = random_mixture(2, 3, 3), regression_noise(0, 0, x.shape)

    def of(part: slice) -> LevelStatistics:
        return accumulate(crude, 2.0, x[part], weights[part], [noise[part]], degree=1, rho=RHO)

    whole, merged = of(slice(None)), of(slice(123)) + of(slice(123, 456)) + of(slice(456, None))
    scale = np.sqrt(np.diagonal(whole.gram))
    limit = roundoff(2 * len(x), np.outer(scale, scale))
    assert np.all(np.abs(merged.gram - whole.gram) <= limit)
    assert np.all(
        np.abs(merged.cross - whole.cross) <= roundoff(1400, scale[:, None] * whole.energy**0.5)
    )
    assert abs(merged.weight - whole.weight) <= roundoff(1400, 1)


def test_sums_do_not_depend_on_the_number_of_threads(monkeypatch):
    x, weights = rows_of(2, 5 * ROWS + 7)
    crude, noise = random_mixture(2, 3, 3), regression_noise(0, 0, x.shape)
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(arrays, "cpu_count", lambda threads=threads: threads)
        found.append(accumulate(crude, 2.0, x, weights, [noise], degree=1, rho=RHO))
    assert all((found[0].gram == other.gram).all() for other in found)
    assert all((found[0].cross == other.cross).all() for other in found)
    assert all(found[0].energy == other.energy for other in found)


# ---- folds

LABELS = [0, 3, 4]  # of which some folds have fewer rows than a block, and one number is missing


def fold_sums(n: int, pairs: int = 2) -> tuple[dict[int, LevelStatistics], dict, np.ndarray]:
    """Sums of all folds at once; the options and rows for sums of one; the folds."""
    x, weights = rows_of(2, n)
    noises = [regression_noise(0, level, x.shape) for level in range(pairs)]
    folds = np.random.default_rng(1).choice(LABELS, p=[0.1, 0.2, 0.7], size=n)
    rows = {"x": x, "weights": weights, "noises": noises}
    crude = random_mixture(2, 3, 3)
    return accumulate_folds(crude, 2.0, **rows, folds=folds, degree=2, rho=RHO), rows, folds


@pytest.mark.parametrize("n", [60, 3 * ROWS])
def test_sums_of_folds_are_those_of_their_rows(n):
    parts, rows, folds = fold_sums(n)
    assert list(parts) == LABELS
    for label, part in parts.items():
        own = folds == label
        alone = accumulate(
            part.crude,
            2.0,
            rows["x"][own],
            rows["weights"][own],
            [noise[own] for noise in rows["noises"]],
            degree=2,
            rho=RHO,
        )
        # Blocks are cut within a fold: these are the same sums in the same order.
        for name in ("gram", "cross", "energy"):
            assert np.array_equal(getattr(part, name), getattr(alone, name)), name
        assert abs(part.weight - alone.weight) <= roundoff(2 * n, 1)


def test_sums_of_folds_add_up_to_those_of_all_rows():
    parts, rows, _ = fold_sums(900)
    together = parts[0] + parts[3] + parts[4]
    whole = accumulate(together.crude, 2.0, **rows, degree=2, rho=RHO)
    scale = np.sqrt(np.diagonal(whole.gram))
    limit = roundoff(8 * 900, np.outer(scale, scale))
    assert np.all(np.abs(together.gram - whole.gram) <= limit)
    limit = roundoff(8 * 900, scale[:, None] * whole.energy**0.5)
    assert np.all(np.abs(together.cross - whole.cross) <= limit)
    assert abs(together.energy - whole.energy) <= roundoff(8 * 900, whole.energy)
    assert abs(together.weight - whole.weight) <= roundoff(900, 1)


def test_sums_of_folds_do_not_depend_on_the_number_of_threads(monkeypatch):
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(arrays, "cpu_count", lambda threads=threads: threads)
        found.append(fold_sums(11 * ROWS)[0])  # more blocks than one wave
    for other in found[1:]:
        for label, part in found[0].items():
            assert (part.gram == other[label].gram).all()
            assert (part.cross == other[label].cross).all()
            assert part.energy == other[label].energy


def test_taking_away_a_fold_leaves_the_others():
    parts, _, _ = fold_sums(300)
    rest = parts[0] + parts[3]
    again = rest + parts[4] - parts[4]
    scale = np.sqrt(np.diagonal((rest + parts[4]).gram))
    assert np.all(np.abs(again.gram - rest.gram) <= roundoff(4, np.outer(scale, scale)))
    assert abs(again.weight - rest.weight) <= roundoff(4, 1)


@pytest.mark.parametrize("n", [1, 63, 64, 65, ROWS + 1])
def test_tiles_of_any_fill_are_the_twins(n):
    crude, kappa = random_mixture(2, 3, 3), 2.0
    x, weights = rows_of(2, n)
    noise = regression_noise(0, 0, x.shape)
    total = accumulate(crude, kappa, x, weights, [noise], degree=1, rho=RHO)
    y = np.concatenate([kappa * x + noise, kappa * x - noise])
    target, v = np.tile(x, (2, 1)), np.tile(weights, 2) / 2
    field = PiecewiseScore(crude, NoiseLevel.from_kappa(kappa), np.zeros((3, 3, 2)), RHO)
    gram, cross, energy = reference.normal_equations(field, 1, y, target, v)
    size = np.abs(target).max() + np.abs(reference.denoise(field, y)).max()
    scale = np.sqrt(np.diagonal(gram)) + FLOOR
    limit = roundoff(256 * (n + 1), np.outer(scale, scale)) + 2 * FLOOR * scale
    assert np.all(np.abs(total.gram - gram) <= limit)
    cross_limit = roundoff(256 * (n + 1), scale * size) + FLOOR * size
    assert np.all(np.abs(total.cross - cross) <= cross_limit[:, None])
    assert abs(total.energy - energy) <= roundoff(256 * (n + 1), size**2)


# ---- solving


@each_shape
@pytest.mark.parametrize("ridge", [1e-3, 1e-1, 10.0])
def test_solution_is_numpys_least_squares(dim, cells, degree, kappa, ridge):
    total, y, target = sums(dim, cells, degree, kappa)
    phi, crude, v = explicit(total, y)
    phi = np.where(floor_error(total, phi) > 0, 0.0, phi)  # as the sums leave them out
    # Besides the ridge the solver keeps 1e-9 of the mean, for features that no point reaches.
    diagonal = np.diagonal(total.gram)
    root, penalty = np.sqrt(v)[:, None], ridge * diagonal + 1e-9 * diagonal.mean()
    design = np.concatenate([root * phi, np.diag(np.sqrt(penalty))])
    wanted = np.concatenate([root * (target - crude), np.zeros((len(penalty), dim))])
    want = np.linalg.lstsq(design, wanted, rcond=None)[0]
    got = total.solve(degree, ridge).reshape(want.shape)
    # The sums round: to first order the solution moves by A^-1 times their changes.
    ulps = roundoff(128 * dim * len(y), 1.0)
    of_gram = ulps * np.abs(phi).T @ (v[:, None] * np.abs(phi))
    of_cross = ulps * np.abs(phi).T @ (v[:, None] * (np.abs(target) + np.abs(crude)))
    inverse = np.abs(np.linalg.inv(total.gram + np.diag(penalty)))
    limit = 2 * inverse @ (of_gram @ np.abs(want) + of_cross)
    assert np.all(np.abs(got - want) <= limit)
    assert limit.max() <= 1e-3 * np.abs(want).max()  # so that the comparison says something


def test_a_lower_degree_is_the_sub_block():
    high, low = sums(2, 4, 2, 1.5)[0], sums(2, 4, 1, 1.5)[0]
    assert (high.solve(1, 1e-2) == low.solve(1, 1e-2)).all()
    assert (high.solve(0, 1e-2) == low.solve(0, 1e-2)).all()
    assert high.solve(2, 1e-2).shape == (4, 6, 2)


def test_an_infinite_ridge_is_the_crude_mixture():
    total, y, target = sums(2, 4, 2, 1.5)
    field = total.field(2, np.inf)
    assert field.size == 0
    _, crude, v = explicit(total, y)
    direct = float(v @ ((target - crude) ** 2).sum(axis=1))
    assert abs(total.risk(field.coef) - direct) <= roundoff(64 * len(y), direct + (target**2).max())


def test_larger_ridges_go_there():
    total = sums(2, 4, 2, 1.5)[0]
    sizes = [np.abs(total.solve(2, ridge)).max() for ridge in (1e-3, 1e-1, 1e1, 1e3, 1e5)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-4 * sizes[0]


@each_shape
def test_risk_is_the_mean_over_rows(dim, cells, degree, kappa):
    total, y, target = sums(dim, cells, degree, kappa)
    for ridge in (1e-2, np.inf):
        field = total.field(degree, ridge)
        _, _, v = explicit(total, y)
        fitted = reference.denoise(field, y)
        direct = float(v @ ((target - fitted) ** 2).sum(axis=1))
        lost = floor_error(total, explicit(total, y)[0]).reshape(len(y), cells, -1)
        missing = np.einsum("ncf,cfi->ni", lost[:, :, : field.size], np.abs(field.coef))
        size = np.abs(target) + np.abs(fitted)
        limit = 2 * v @ (missing * size).sum(axis=1) + roundoff(
            128 * len(y), v @ (size**2).sum(axis=1)
        )
        assert abs(total.risk(field.coef) - direct) <= limit


def test_fitting_lowers_the_risk_of_its_own_rows():
    total = sums(2, 4, 2, 1.5)[0]
    risks = [total.risk(total.solve(degree, 1e-6)) for degree in (0, 1, 2)]
    crude = total.risk(total.solve(0, np.inf))
    assert crude > risks[0] > risks[1] > risks[2] > 0


def test_a_cell_that_no_point_reaches_stays_crude():
    near, far = [0.0, 0.0], [1e3, 1e3]
    crude = GaussianMixture([0.5, 0.5], [near, far], [np.eye(2)] * 2)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    total = accumulate(crude, 3.0, x, np.full(200, 1 / 200), [x[::-1]], degree=1, rho=RHO)
    coef = total.solve(1, 1e-2)
    assert np.isfinite(coef).all()
    assert (coef[1] == 0).all()
    assert np.abs(coef[0]).max() > 0


# ---- noise


def test_noise_is_keyed_and_a_prefix_of_itself():
    noise = regression_noise(1, 2, (50, 3))
    assert (regression_noise(1, 2, (20, 3)) == noise[:20]).all()
    assert (regression_noise(1, 3, (50, 3)) != noise).any()
    assert (regression_noise(2, 2, (50, 3)) != noise).any()


def test_noise_is_standard_normal_and_independent_between_levels():
    n = 100_000
    noise = np.concatenate([regression_noise(1, level, (n, 2)) for level in (0, 1)], axis=1)
    products = noise[:, :, None] * noise[:, None, :]
    assert np.abs(noise.mean(axis=0)).max() <= monte_carlo(n, 1.0, comparisons=20)
    # E[z_i z_j z_i z_j] - E[z_i z_j]^2 is 1 off the diagonal and 2 on it.
    limit = monte_carlo(n, np.sqrt(1 + np.eye(4)), comparisons=20)
    assert np.all(np.abs(products.mean(axis=0) - np.eye(4)) <= limit)


# ---- what is refused


@pytest.mark.parametrize("change", ["crude", "kappa", "degree"])
def test_unlike_statistics_are_not_merged(change):
    x, weights = rows_of(2, 50)
    crude = random_mixture(2, 2, 0)
    options = {"crude": crude, "kappa": 1.0, "degree": 1}
    other = {"crude": random_mixture(2, 2, 0), "kappa": 1.5, "degree": 0}
    noise = regression_noise(0, 0, x.shape)

    def of(crude, kappa, degree):
        return accumulate(crude, kappa, x, weights, [noise], degree=degree, rho=RHO)

    with pytest.raises(BadData, match="Expected statistics of one partition and level"):
        _ = of(**options) + of(**(options | {change: other[change]}))


def test_a_gram_matrix_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(statistics, "GRAM_LIMIT", 8 * 17**2)
    x, weights = rows_of(2, 20)
    noise = [regression_noise(0, 0, x.shape)]
    accumulate(random_mixture(2, 5, 0), 1.0, x, weights, noise, degree=1, rho=RHO)
    with pytest.raises(ResourceLimit, match="6 cells of degree 1 in 2 dimensions"):
        accumulate(random_mixture(2, 6, 0), 1.0, x, weights, noise, degree=1, rho=RHO)


def test_field_is_at_its_level():
    assert sums(2, 4, 2, 1.5)[0].field(1, 1e-2).level == NoiseLevel.from_kappa(1.5)
