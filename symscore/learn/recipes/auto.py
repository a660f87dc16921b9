"""The default recipe: cells from k-means and EM, chosen level by level by cross-fitting.

Beside cells of given numbers there are mixtures whose components were merged from many, mixtures in
few directions of many columns, and an average of mixtures.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption, TooFewRows, caller_level
from symscore.learn.blend import SoftScore, blended
from symscore.learn.choose import Choice, Options, choose, spread
from symscore.learn.field import PiecewiseScore
from symscore.learn.folds import fold_labels
from symscore.learn.hermite import n_features
from symscore.learn.ladder import ScoreLadder
from symscore.learn.merging import MergedCells
from symscore.learn.partition import EMCells, KMeansCells, Partition, smallest_cell
from symscore.learn.prepared import Prepared, prepare
from symscore.learn.report import LadderReport, LevelChoice, MixtureGain
from symscore.learn.select import Candidate, Cells, Progress, Sample, fit_cells
from symscore.learn.stack import stacked
from symscore.learn.subspace import SubspaceCells
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel, Schedule

RESERVOIR = 50_000  # rows on which cells are found and chosen; the final sums run over all
REFINED = 240  # features up to which the refined degree is tried
MANY = 4  # columns from which mixtures in few of their directions are tried
LARGEST = 360  # features of a level that are tried: the work grows with their square


@final
@dataclass(frozen=True, kw_only=True)
class Auto:
    """Options of the default recipe.

    Attributes
    ----------
    kmeans, em : tuple of int
        Numbers of cells to try, from k-means and from expectation-maximisation.
    merged : int
        Number of components from which pairs are merged as long as an information criterion asks
        for it; 0 to leave that out. Not on rounded rows.
    subspace : tuple of int
        Numbers of components to try in few directions of four columns or more.
    kmeans_degree, em_degree : int
        Largest degree of the deviation in such cells.
    refined_degree : int
        Degree tried in addition where such cells have won and it adds few features.
    ridges : tuple of float
        Ridges to try, relative to the Gram diagonal; infinity, the crude mixture, always is.
    rhos : tuple of float
        Damping radii in standard deviations of a cell: the first is used for choosing cells, the
        others are tried where those have won.
    folds : int
        Folds of the cross-fit; fewer for little data.
    pairs : int
        Antithetic pairs of noise a row and level.
    max_ratio : float
        Largest ratio of consecutive levels.
    sharpness : float
        Smoothing left at the data end, relative to the smallest component sd.
    plain : bool
        Whether a plain Gaussian mixture of up to six components is taken if nothing gains more than
        a standard error on it. ``partial_fit`` does without: deviations are what later rows
        add to.
    """

    kmeans: tuple[int, ...] = (4, 8, 16, 32)
    em: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24)
    kmeans_degree: int = 2
    em_degree: int = 2
    refined_degree: int = 3
    ridges: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    rhos: tuple[float, ...] = (3.0, 2.0, 4.0)
    folds: int = 4
    pairs: int = 2
    max_ratio: float = 1.5
    sharpness: float = 0.1
    plain: bool = True
    merged: int = 32
    subspace: tuple[int, ...] = (4, 8)

    def __post_init__(self) -> None:
        if not (self.kmeans or self.em) or min((*self.kmeans, *self.em)) < 1:
            raise BadOption("Expected numbers of cells that are at least 1.")
        if min(self.kmeans_degree, self.em_degree) < 0 or self.folds < 2 or self.pairs < 1:
            raise BadOption("Expected degrees >= 0, folds >= 2 and pairs >= 1.")
        if not self.rhos or min(self.rhos) <= 0:
            raise BadOption("Expected at least one damping radius, each positive.")
        if self.merged < 0 or min(self.subspace, default=1) < 1:
            raise BadOption("Expected merged >= 0 and numbers of components that are at least 1.")

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
            On fewer than two distinct rows, or columns that are constant or collinear.

        Warns
        -----
        TooFewRows
            Where there are hardly more distinct rows than columns, and the density is one Gaussian.
        OutliersLeftOut
            Where isolated rows were left out.
        """
        ready = prepare(x, weights, groups, names)
        n, dim = ready.x.shape
        if n < dim + 2:
            return self._one_gaussian(ready, len(x), tuple(names))
        folds = fold_labels(n, ready.groups, self._n_folds(n), seed=seed)
        sample = Sample(ready.x, ready.weights, folds, seed)
        reservoir = sample.thinned(RESERVOIR)
        degrees = self._degrees(n, dim, rounded=ready.rounding > 0)
        cells: dict[Partition, Cells] = {}
        for done, partition in enumerate(degrees):
            progress("finding components", done, len(degrees))
            cells[partition] = fit_cells(reservoir, partition)
        stack = stacked(reservoir, cells)
        if stack is not None:
            cells[stack[0]], degrees[stack[0]] = stack[1], 0
        crudes = [found.whole for found in cells.values()]
        schedule, smoothing = self._schedule(ready, crudes)
        kappas = schedule.field_kappas
        options = Options(
            dim, degrees, self.ridges, self.rhos, self.refined_degree, REFINED, self.plain
        )
        choice = choose(reservoir, kappas, cells, options, progress=progress)
        fields: list[SoftScore] = []
        for level in range(len(kappas)):
            fields.append(self._field(sample, choice, cells, level))
            progress("fitting levels", level + 1, len(kappas))
        report = LadderReport(
            n_rows=len(x),
            n_distinct=n,
            n_effective=ready.n_effective,
            n_folds=len(np.unique(folds)),
            smoothing=smoothing,
            rounding=ready.rounding,
            levels=tuple(_level_choice(choice, k, field) for k, field in enumerate(fields)),
            tried=choice.tried,
            gain=_gain(choice, cells),
            spikes=ready.spikes,
            left_out=ready.left_out,
        )
        return ScoreLadder(ready.frame, schedule, tuple(fields), tuple(names)), report

    def _field(
        self, sample: Sample, choice: Choice, cells: dict[Partition, Cells], level: int
    ) -> SoftScore:
        """Fit the chosen candidates of a level to all rows."""
        members = []
        kappa = float(choice.kappas[level])
        for candidate in choice.candidates_at(level):
            whole = cells[candidate.partition].whole
            if np.isinf(candidate.ridge):
                members.append(crude_field(whole, kappa, candidate.rho))
                continue
            sums = sample.all_statistics(
                whole,
                level,
                kappa,
                degree=candidate.degree,
                rho=candidate.rho,
                pairs=self.pairs,
            )
            members.append(sums.field(candidate.degree, candidate.ridge))
        return blended(members, choice.at(level).shares)

    def _schedule(
        self, ready: Prepared, crudes: Sequence[GaussianMixture]
    ) -> tuple[Schedule, float]:
        return ready.schedule(crudes, sharpness=self.sharpness, max_ratio=self.max_ratio)

    def _one_gaussian(
        self, ready: Prepared, n_rows: int, names: tuple[str, ...]
    ) -> tuple[ScoreLadder, LadderReport]:
        """Return N(0, I) in the frame, whose covariance was shrunk: all that so few rows allow."""
        n, dim = ready.x.shape
        warnings.warn(
            f"Expected at least {dim + 2} distinct rows for {dim} columns to learn a shape; got "
            f"{n}: the density is one Gaussian with shrunk covariance.",
            TooFewRows,
            stacklevel=caller_level(),
        )
        crude = GaussianMixture(np.ones(1), np.zeros((1, dim)), np.eye(dim)[None])
        schedule, smoothing = self._schedule(ready, [crude])
        candidate = Candidate(EMCells(1), 0, np.inf, self.rhos[0])
        fields = tuple(
            crude_field(crude, kappa, self.rhos[0]) for kappa in schedule.field_kappas.tolist()
        )
        report = LadderReport(
            n_rows=n_rows,
            n_distinct=n,
            n_effective=ready.n_effective,
            n_folds=0,
            smoothing=smoothing,
            rounding=ready.rounding,
            levels=tuple(
                LevelChoice(field.level.kappa, (candidate,), (1.0,), 1, np.nan, np.nan, np.nan)
                for field in fields
            ),
            spikes=ready.spikes,
            left_out=ready.left_out,
        )
        return ScoreLadder(ready.frame, schedule, fields, names), report

    def _n_folds(self, n_rows: int) -> int:
        return min(self.folds, n_rows // 2)

    def _degrees(self, n_rows: int, dim: int, *, rounded: bool) -> dict[Partition, int]:
        """Return the partitions that the rows of a training fold can fill, and their degrees.

        On rounded rows nothing is merged by likelihood: spikes on their grid would win.
        """
        training = n_rows - n_rows // self._n_folds(n_rows)
        most = max(1, training // smallest_cell(dim))
        wanted: list[tuple[Partition, int]] = [(EMCells(k), self.em_degree) for k in self.em]
        wanted += [(KMeansCells(k), self.kmeans_degree) for k in self.kmeans]
        fitting = {p: _affordable(p, k, dim) for p, k in wanted if p.n_cells <= most}
        if self.merged > 1 and most > 1 and not rounded:
            fitting[MergedCells(min(self.merged, most))] = 0
        if dim >= MANY:
            fitting |= {SubspaceCells(k): 0 for k in self.subspace}
        return fitting or {EMCells(1): 0}


def _affordable(partition: Partition, degree: int, dim: int) -> int:
    """Return the largest degree up to `degree` whose features are not too many; at least 0."""
    while degree > 0 and partition.n_cells * n_features(dim, degree) > LARGEST:
        degree -= 1
    return degree


def crude_field(crude: GaussianMixture, kappa: float, rho: float) -> PiecewiseScore:
    """Return the crude mixture's own field at a level."""
    none = np.zeros((crude.n_components, 0, crude.dim))
    return PiecewiseScore(crude, NoiseLevel.from_kappa(kappa), none, rho)


def _level_choice(choice: Choice, level: int, field: SoftScore) -> LevelChoice:
    node = choice.at(level)
    mass = node.mass.sum()
    return LevelChoice(
        field.level.kappa,
        choice.candidates_at(level),
        node.shares,
        sum(member.crude.n_components for member in field.members),
        float(node.losses.sum() / mass),
        spread(node.losses, node.mass),
        float(node.mixture_losses.sum() / mass),
    )


def _gain(choice: Choice, cells: dict[Partition, Cells]) -> MixtureGain:
    mixture = choice.crossed.candidates[choice.mixture].partition
    taken = all(node.members == (choice.mixture,) for node in choice.nodes)
    return MixtureGain(cells[mixture].whole.n_components, *choice.gain, taken)
