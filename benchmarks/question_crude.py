"""A ladder of polynomials fitted from a crude mixture that is wrong by a known amount."""

import warnings
from collections.abc import Iterator

import numpy as np
from scipy.linalg import expm
from sklearn.mixture import GaussianMixture as SklearnMixture

from benchmarks.question_families import Family
from benchmarks.question_size import flow_distance, one_sided
from symscore import GaussianMixture, ScoreFlow, ScoreLadder
from symscore.flow.check import make_bijective
from symscore.learn.field import PiecewiseScore
from symscore.learn.folds import fold_labels
from symscore.learn.frame import Whitening
from symscore.learn.prepared import prepare
from symscore.learn.select import Sample, merged
from symscore.learn.statistics import LevelStatistics

FAMILY = Family(2, 3, 3.0)
KINDS = ("means", "covariances", "weights", "all three")
DEGREES = (0, 1, 2, 3)
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
FOLDS, PAIRS, RHO = 4, 2, 3.0
PLUG_IN, EM, CHOSEN = "the crude mixture itself", "EM from there", "degree and ridge held out"
DRAWS = 20_000

Question = tuple[int, float]  # a degree, and a ridge; infinity is the crude mixture


def perturbed(
    truth: GaussianMixture, kind: str, distance: float, *, rng: np.random.Generator
) -> GaussianMixture:
    r"""Return the mixture at a distance delta from the truth, in random directions.

    .. math::

        m_i + \delta S_i^{1/2} u_i, \qquad S_i^{1/2} e^{\delta H_i} S_i^{1/2}, \qquad
        w_i e^{\delta g_i} / Z, \qquad |u_i| = \|H_i\|_F = |g| / \sqrt k = 1 .
    """
    k, dim = truth.means.shape
    shift = rng.standard_normal((k, dim))
    shift /= np.linalg.norm(shift, axis=1, keepdims=True)
    turn = rng.standard_normal((k, dim, dim))
    turn += turn.swapaxes(1, 2)
    turn /= np.linalg.norm(turn, axis=(1, 2), keepdims=True)
    tilt = rng.standard_normal(k)
    tilt *= np.sqrt(k) / np.linalg.norm(tilt)
    roots = truth.chol_covariances
    means, covariances, weights = truth.means, truth.covariances, truth.weights
    if kind in ("means", "all three"):
        means = means + distance * np.einsum("kij,kj->ki", roots, shift)
    if kind in ("covariances", "all three"):
        inner = np.stack([expm(distance * h) for h in turn])
        covariances = roots @ inner @ roots.swapaxes(1, 2)
        covariances = (covariances + covariances.swapaxes(1, 2)) / 2
    if kind in ("weights", "all three"):
        weights = weights * np.exp(distance * tilt)
        weights = weights / weights.sum()
    return GaussianMixture(weights, means, covariances)


def measure(kind: str, distance: float, n: int, seed: int) -> dict[str, float]:
    """Return the total variation that each use of the crude mixture reaches from n rows."""
    truth = FAMILY.member(seed)
    data = truth.draw(n, rng=np.random.default_rng([seed, n]))
    rng = np.random.default_rng([seed, KINDS.index(kind), 3])
    crude = perturbed(truth, kind, distance, rng=rng)
    reached = {PLUG_IN: distance_of(crude, truth, seed), EM: _em(data, crude, truth, seed)}
    for name, flow in flows(data, crude, seed):
        reached[name] = flow_distance(truth, flow, seed)
    return reached


def distance_of(estimate: GaussianMixture, truth: GaussianMixture, seed: int) -> float:
    """Return the total variation of a mixture to the truth, from its own draws."""
    own = estimate.draw(DRAWS, rng=np.random.default_rng([seed, 4]))
    return one_sided(estimate.log_density(own), truth.log_density(own))


def _em(data: np.ndarray, crude: GaussianMixture, truth: GaussianMixture, seed: int) -> float:
    start = SklearnMixture(
        crude.n_components,
        weights_init=crude.weights,
        means_init=crude.means,
        precisions_init=np.linalg.inv(crude.covariances),
        max_iter=300,
        random_state=seed,
    ).fit(data)
    found = GaussianMixture(start.weights_, start.means_, start.covariances_)
    return distance_of(found, truth, seed)


def flows(data: np.ndarray, crude: GaussianMixture, seed: int) -> Iterator[tuple[str, ScoreFlow]]:
    """Yield the flow of every degree, and the one whose degree is held out too, level by level.

    All come from the same sums, as the default recipe forms them for one partition.
    """
    ready = prepare(data, np.full(len(data), 1 / len(data)), None, ["x", "y"])
    folds = fold_labels(len(ready.x), None, FOLDS, seed=seed)
    sample = Sample(ready.x, ready.weights, folds, seed)
    cells = whitened(crude, ready.frame)
    schedule, _ = ready.schedule([cells], sharpness=0.1, max_ratio=1.5)
    ladders: dict[str, list[PiecewiseScore]] = {}
    for level, kappa in enumerate(schedule.field_kappas.tolist()):
        parts = sample.statistics(cells, level, kappa, degree=max(DEGREES), rho=RHO)
        every = sample.all_statistics(
            cells, level, kappa, degree=max(DEGREES), rho=RHO, pairs=PAIRS
        )
        risks = {(d, r): held_out(parts, d, r) for d in DEGREES for r in (*RIDGES, np.inf)}
        for degree in DEGREES:
            own = {asked: risks[asked] for asked in risks if asked[0] == degree}
            best = min((a for a in own if np.isfinite(a[1])), key=lambda a: own[a])
            ladders.setdefault(f"degree {degree}", []).append(every.field(*best))
        ladders.setdefault(CHOSEN, []).append(every.field(*min(risks, key=lambda a: risks[a])))
    for name, fields in ladders.items():
        ladder = ScoreLadder(ready.frame, schedule, tuple(fields), ("x", "y"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what had to be shrunk shows in the figures
            ladder, _ = make_bijective(ladder, ready.x, rng=np.random.default_rng([seed, 2]))
        yield name, ScoreFlow(ladder)


def held_out(parts: dict[int, LevelStatistics], degree: int, ridge: float) -> float:
    """Return the sum of held-out losses over folds, each solved for on the others."""
    total = 0.0
    for fold, own in parts.items():
        rest = merged([sums for other, sums in parts.items() if other != fold])
        total += own.weight * own.risk(rest.solve(degree, ridge))
    return total


def whitened(mixture: GaussianMixture, frame: Whitening) -> GaussianMixture:
    """Return a mixture in the coordinates of a frame."""
    inverse = np.linalg.inv(frame.scale_tril)
    covariances = inverse @ mixture.covariances @ inverse.T
    covariances = (covariances + covariances.swapaxes(1, 2)) / 2
    return GaussianMixture(mixture.weights, frame.whiten(mixture.means), covariances)
