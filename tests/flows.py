"""Ladders and flows written down by hand, from mixtures whose denoisers are known exactly."""

from collections.abc import Sequence

import numpy as np

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.learn.blend import BlendedScore, blended
from symscore.learn.field import PiecewiseScore
from symscore.learn.frame import Whitening
from symscore.learn.hermite import n_features
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel, Schedule


def two_modes(distance: float, dim: int = 2) -> GaussianMixture:
    """Two unit Gaussians at `distance` along the first axis."""
    means = np.zeros((2, dim))
    means[:, 0] = -distance / 2, distance / 2
    return GaussianMixture([0.5, 0.5], means, [np.eye(dim)] * 2)


def random_mixture(dim: int, cells: int, seed: int, *, spread: float = 2.0) -> GaussianMixture:
    """Components with sd of about .25 to .5 and means of sd `spread`."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(cells, dim, dim))
    covariances = 0.05 * (roots @ roots.swapaxes(1, 2) + np.eye(dim))
    weights = rng.dirichlet(np.full(cells, 5.0))
    return GaussianMixture(weights, spread * rng.normal(size=(cells, dim)), covariances)


def identity(dim: int) -> Whitening:
    return Whitening(np.zeros(dim), np.eye(dim))


def random_frame(dim: int, seed: int) -> Whitening:
    rng = np.random.default_rng(seed)
    tril = np.tril(rng.normal(size=(dim, dim)), -1) + np.diag(rng.uniform(0.5, 2.0, size=dim))
    return Whitening(rng.normal(size=dim), tril)


def schedule_for(mixture: GaussianMixture, max_ratio: float = 1.5) -> Schedule:
    """The default recipe's rule: a tenth of the smallest component sd is smoothed away."""
    smallest = float(np.linalg.eigvalsh(mixture.covariances).min()) ** 0.5
    return Schedule.up_to(10 / smallest, max_ratio=max_ratio)


def random_field(
    crude: GaussianMixture, kappa: float, degree: int, amplitude: float, seed: int
) -> PiecewiseScore:
    """A field with coefficients of sd `amplitude`; degree -1 is the mixture's exact denoiser."""
    size = 0 if degree < 0 else n_features(crude.dim, degree)
    rng = np.random.default_rng(seed)
    coef = amplitude * rng.normal(size=(crude.n_components, size, crude.dim))
    return PiecewiseScore(crude, NoiseLevel.from_kappa(kappa), coef)


def make_ladder(
    crude: GaussianMixture,
    *,
    degree: int = -1,
    amplitude: float = 0.02,
    frame: Whitening | None = None,
    max_ratio: float = 1.5,
) -> ScoreLadder:
    schedule = schedule_for(crude, max_ratio)
    fields = [
        random_field(crude, kappa, degree, amplitude, seed)
        for seed, kappa in enumerate(schedule.field_kappas.tolist())
    ]
    names = [f"x{j}" for j in range(crude.dim)]
    return ScoreLadder(frame or identity(crude.dim), schedule, tuple(fields), tuple(names))


def make_flow(crude: GaussianMixture, **options) -> ScoreFlow:
    """The flow of :func:`make_ladder`."""
    return ScoreFlow(make_ladder(crude, **options))


def random_blend(
    kappa: float,
    dim: int,
    members: Sequence[tuple[int, int, float]],
    *,
    amplitude: float = 0.02,
    spread: float = 2.0,
) -> BlendedScore:
    """Fields of (cells, degree, rho) each, of mixtures of their own, averaged unevenly."""
    fields = []
    for seed, (cells, degree, rho) in enumerate(members):
        field = random_field(
            random_mixture(dim, cells, 10 + seed, spread=spread), kappa, degree, amplitude, seed
        )
        fields.append(PiecewiseScore(field.crude, field.level, field.coef, rho))
    shares = np.arange(1.0, 1.0 + len(members))
    return BlendedScore(tuple(fields), shares / shares.sum())


def make_blended_ladder(
    dim: int,
    members: Sequence[tuple[int, int, float]],
    *,
    amplitude: float = 0.02,
    spread: float = 2.0,
    frame: Whitening | None = None,
    max_ratio: float = 1.5,
) -> ScoreLadder:
    """A ladder whose level i is the first of `members`, the first two, ..., all, the first, ..."""
    crude = random_mixture(dim, members[0][0], 10, spread=spread)
    schedule = schedule_for(crude, max_ratio)
    fields = []
    for level, kappa in enumerate(schedule.field_kappas.tolist()):
        blend = random_blend(
            kappa,
            dim,
            members[: 1 + level % len(members)],
            amplitude=amplitude,
            spread=spread,
        )
        fields.append(blended(blend.members, blend.shares.tolist()))
    names = [f"x{j}" for j in range(dim)]
    return ScoreLadder(frame or identity(dim), schedule, tuple(fields), tuple(names))


def lattice(lower: FloatArray, upper: FloatArray, step: float) -> FloatArray:
    """Points (n, d) of a square lattice; a sum over them times step^d is the trapezoid rule."""
    axes = [np.arange(low, high, step) for low, high in zip(lower, upper, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
