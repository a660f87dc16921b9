"""The default recipe: cells from k-means and EM, chosen level by level by cross-fitting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.field import PiecewiseScore
from symscore.learn.frame import fit_whitening, whitened_step
from symscore.learn.ladder import ScoreLadder
from symscore.learn.partition import EMCells, KMeansCells, Partition, smallest_cell
from symscore.learn.rows import canonical
from symscore.learn.select import (
    Candidate,
    CrossFit,
    Progress,
    Sample,
    candidates_of,
    cross_fit,
    merged,
    race,
)
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule

# Noise of half a rounding step leaves a ripple of 2 exp(-pi^2 / 2), 1.4 %, of the rounding grid.
BLUR = 0.5
RACED = (0.3, 0.5, 0.7, 0.9)  # where along the ladder all candidates are tried
SURVIVORS = 2  # partitions kept at each of these
SHARED = 4  # consecutive fields, two steps, that share one choice


@final
@dataclass(frozen=True)
class LevelChoice:
    """What was chosen at one level: the kappa, the cells, and held-out risks."""

    kappa: float
    candidate: Candidate
    n_cells: int
    risk: float
    crude_risk: float  # of the same cells with no deviation


@final
@dataclass(frozen=True)
class LadderReport:
    """How a ladder was learned.

    Attributes
    ----------
    n_rows, n_distinct : int
        Rows given, and rows left after merging identical ones into weights.
    n_folds : int
        Folds of the cross-fit.
    smoothing : float
        Standard deviation, in whitened units, of the smoothing left at the data end.
    rounding : float
        Largest rounding step of a column in whitened units; 0 for continuous data.
    levels : tuple of LevelChoice
        From noise to data.
    """

    n_rows: int
    n_distinct: int
    n_folds: int
    smoothing: float
    rounding: float
    levels: tuple[LevelChoice, ...]


@final
@dataclass(frozen=True, kw_only=True)
class Auto:
    """Options of the default recipe.

    Attributes
    ----------
    kmeans, em : tuple of int
        Numbers of cells to try, from k-means and from expectation-maximisation.
    kmeans_degree, em_degree : int
        Largest degree of the deviation in such cells.
    ridges : tuple of float
        Ridges to try, relative to the Gram diagonal; infinity, the crude mixture, always is.
    rho : float
        Damping radius in standard deviations of a cell.
    folds : int
        Folds of the cross-fit; fewer for little data.
    pairs : int
        Antithetic pairs of noise a row and level.
    max_ratio : float
        Largest ratio of consecutive levels.
    sharpness : float
        Smoothing left at the data end, relative to the smallest component sd.
    """

    kmeans: tuple[int, ...] = (4, 8, 16, 32)
    em: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 24)
    kmeans_degree: int = 2
    em_degree: int = 1
    ridges: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    rho: float = 3.0
    folds: int = 4
    pairs: int = 2
    max_ratio: float = 1.5
    sharpness: float = 0.1

    def __post_init__(self) -> None:
        if not (self.kmeans or self.em) or min((*self.kmeans, *self.em)) < 1:
            raise BadOption("Expected numbers of cells that are at least 1.")
        if min(self.kmeans_degree, self.em_degree) < 0 or self.folds < 2 or self.pairs < 1:
            raise BadOption("Expected degrees >= 0, folds >= 2 and pairs >= 1.")

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        groups: np.ndarray | None,
        names: Sequence[str],
        *,
        seed: int,
        progress: Progress,
    ) -> tuple[ScoreLadder, LadderReport]:
        """Learn a ladder from x (n, d) under `weights` (n,); rows of one group share a fold.

        Raises
        ------
        BadData
            On too few distinct rows, or columns that are constant or collinear.
        """
        dim, names = x.shape[1], tuple(names)
        rows, share, rank_groups = canonical(x, weights, groups)
        if len(rows) < dim + 2:
            raise BadData(
                f"Expected at least {dim + 2} distinct rows for {dim} columns; "
                f"got {len(rows)} distinct of n_samples = {len(x)}."
            )
        frame = fit_whitening(rows, share, names)
        rounding = whitened_step(frame, rows)
        folds = _folds(len(rows), rank_groups, self._n_folds(len(rows)), seed)
        sample = Sample(frame.whiten(rows), share, folds, seed)
        partitions = self._partitions(len(rows), dim)
        crude = {}
        for done, (partition, _) in enumerate(partitions):
            progress("finding components", done, len(partitions))
            crude[partition] = partition.fit(sample.x, share, seed=seed)
        smallest = min(np.linalg.eigvalsh(m.covariances).min() for m in crude.values()) ** 0.5
        smoothing = max(self.sharpness * smallest, BLUR * rounding)
        schedule = Schedule.up_to(1 / smoothing, max_ratio=self.max_ratio)
        choice = self._choose(sample, schedule, crude, dict(partitions), progress)
        fields: list[PiecewiseScore] = []
        for level, kappa in enumerate(schedule.field_kappas):
            best = choice.best(_node(level))
            sums = sample.statistics(
                crude[best.partition],
                level,
                kappa,
                degree=best.degree,
                rho=self.rho,
                pairs=self.pairs,
            )
            fields.append(merged(list(sums.values())).field(best.degree, best.ridge))
            progress("fitting levels", level + 1, 2 * schedule.n_steps)
        report = LadderReport(
            n_rows=len(x),
            n_distinct=len(rows),
            n_folds=len(np.unique(folds)),
            smoothing=smoothing,
            rounding=rounding,
            levels=tuple(_level_choice(choice, k, field) for k, field in enumerate(fields)),
        )
        return ScoreLadder(frame, schedule, tuple(fields), names), report

    def _choose(
        self,
        sample: Sample,
        schedule: Schedule,
        crude: Mapping[Partition, GaussianMixture],
        degrees: Mapping[Partition, int],
        progress: Progress,
    ) -> CrossFit:
        """Race all candidates at a few nodes, and the survivors at every second one.

        The levels in between take the choice of the node below: what is best changes slowly.
        """
        nodes = range(0, 2 * schedule.n_steps, SHARED)
        raced = sorted({nodes[round(share * (len(nodes) - 1))] for share in RACED})
        candidates = candidates_of(degrees, self.ridges)

        def run(some: Sequence[Candidate], levels: Sequence[int]) -> CrossFit:
            return cross_fit(
                sample,
                schedule.field_kappas,
                some,
                crude,
                levels,
                rho=self.rho,
                progress=progress,
            )

        if len(nodes) <= len(raced) or len(crude) <= SURVIVORS:
            return run(candidates, nodes)
        return run(race(run(candidates, raced), SURVIVORS), nodes)

    def _n_folds(self, n_rows: int) -> int:
        return min(self.folds, n_rows // 2)

    def _partitions(self, n_rows: int, dim: int) -> list[tuple[Partition, int]]:
        """Return the partitions that the rows of a training fold can fill, and their degrees."""
        training = n_rows - n_rows // self._n_folds(n_rows)
        most = max(1, training // (2 * smallest_cell(dim)))
        wanted: list[tuple[Partition, int]] = [(EMCells(k), self.em_degree) for k in self.em]
        wanted += [(KMeansCells(k), self.kmeans_degree) for k in self.kmeans]
        fitting = [(p, degree) for p, degree in wanted if p.n_cells <= most]
        return fitting or [(EMCells(1), 0)]


def _node(level: int) -> int:
    """Return the level whose choice a level shares."""
    return level - level % SHARED


def _level_choice(choice: CrossFit, level: int, field: PiecewiseScore) -> LevelChoice:
    node = _node(level)
    best = choice.best(node)
    crude = Candidate(best.partition, 0, np.inf)
    risks = dict(zip(choice.candidates, choice.risks[node].tolist(), strict=True))
    return LevelChoice(field.level.kappa, best, field.crude.n_components, risks[best], risks[crude])


def _folds(n: int, groups: np.ndarray | None, n_folds: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 1])
    if groups is None:
        return rng.permutation(n) % n_folds
    present, place = np.unique(groups, return_inverse=True)
    if len(present) < 2:
        raise BadData("Expected at least two groups, so that one can be held out; got one.")
    return (rng.permutation(len(present)) % min(n_folds, len(present)))[place]
