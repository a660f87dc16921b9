"""The recipe with the sizes of the theorems, in the coordinates of the data: for tiny instances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.learn.folds import fold_labels
from symscore.learn.frame import Whitening
from symscore.learn.general_mixture.enumeration import enumerate_candidates, reweighted
from symscore.learn.general_mixture.field import GatedScore
from symscore.learn.general_mixture.grid import time_grid
from symscore.learn.general_mixture.plans import Proposal
from symscore.learn.general_mixture.regression import LossClip
from symscore.learn.general_mixture.search import Regression, Split, judge
from symscore.learn.general_mixture.sizes import TheorySizes
from symscore.learn.general_mixture.validation import least
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.hermite import n_features
from symscore.learn.partition import GivenCells
from symscore.learn.prepared import prepare
from symscore.learn.report import Finding, LadderReport, LevelChoice
from symscore.learn.select import Candidate, Progress, Sample
from symscore.learn.twin import TwinOptions, soft_twin
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule

MOST = 100_000  # candidates


@final
@dataclass(frozen=True, kw_only=True)
class GeneralMixtureTheory:
    """Algorithm 1 of arXiv 2404.18893 with its nets, its enumeration and its sizes.

    Nothing is whitened. At every level every candidate is fitted, and the one of least denoising
    loss on fresh rows is kept, as the paper has it. Corrected where the paper's text does not do
    what its proofs need: see :func:`time_grid`, :class:`TheorySizes`, :class:`GatedScore`.

    Attributes
    ----------
    sizes : TheorySizes
    ridge : float
        Relative to the Gram diagonal; the paper has none, and rounding needs a little.
    pairs : int
        Antithetic pairs of noise a row and level; the paper draws one noise a row.
    folds : int
        One of so many parts of the rows is fresh.
    work : float
        Largest number of multiplications that is accepted.
    max_ratio, rho : float
        Of the soft twin.
    """

    sizes: TheorySizes
    ridge: float = 1e-9
    pairs: int = 1
    folds: int = 4
    work: float = 1e12
    max_ratio: float = 1.5
    rho: float = 3.0

    def __post_init__(self) -> None:
        if self.folds < 2 or self.pairs < 1 or not 0 <= self.ridge < np.inf:
            raise BadOption("Expected folds >= 2, pairs >= 1 and a finite ridge >= 0.")

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        groups: np.ndarray | None,
        names: Sequence[str],
        *,
        seed: int,
        progress: Progress,
    ) -> tuple[HardLadder, LadderReport]:
        """Learn a ladder from x (n, d) under `weights` (n,); rows of one group share a fold.

        Raises
        ------
        BadData
            On too few distinct rows, other than `dim` columns, or columns that are constant or
            collinear.
        ResourceLimit
            Where the search is too large, with what it would need.
        """
        ready = prepare(x, weights, groups, names)
        n, dim = ready.x.shape
        if dim != self.sizes.dim or n < 4 * (dim + 1):
            raise BadData(
                f"Expected at least {4 * (self.sizes.dim + 1)} distinct rows of {self.sizes.dim} "
                f"columns, as in the sizes; got {n} of {dim}."
            )
        ready = ready.in_frame(Whitening(np.zeros(dim), np.eye(dim)))
        folds = fold_labels(n, ready.groups, min(self.folds, n), seed=seed)
        split = Split(Sample(ready.x, ready.weights, folds, seed), folds != 0, self._regression)
        tried = self._candidates(split)
        *levels, end = time_grid(self.sizes.horizon, self.sizes.stop, self.sizes.step)
        means, fields, kept = split.means(), [], []
        for key, level in enumerate(levels):
            losses = judge(split, level, key, means, tried, [(self.sizes.degree, self.ridge)])
            kept.append(tried[least(losses[:, 1].tolist())])
            fields.append(split.how.fit(kept[-1], level, split.at(key, means)[0]))
            progress("searching levels", key + 1, len(levels))
        crude = reweighted(kept[-1].crude, ready.x, ready.weights)
        schedule = Schedule.up_to(end.kappa, max_ratio=self.max_ratio)
        twin = TwinOptions(1, max(self.ridge, 1e-2), self.rho, self.pairs)
        soft = soft_twin(split.sample, crude, schedule, ready.frame, names, twin, progress=progress)
        candidate = self._line(crude)
        report = ready.report(
            n_rows=len(x),
            smoothing=1 / end.kappa,
            levels=[LevelChoice.unjudged(f.level.kappa, candidate, f.n_cells) for f in fields],
            tried=[candidate],
            n_folds=len(np.unique(folds)),
            findings=self._findings(tried, kept, fields),
        )
        return HardLadder(tuple(fields), end, soft), report

    @property
    def _regression(self) -> Regression:
        radius = self.sizes.loss_radius
        return Regression(
            degree=self.sizes.degree,
            ridge=self.ridge,
            pairs=self.pairs,
            clip=LossClip(radius, radius),
            integrated=False,
        )

    def _candidates(self, split: Split) -> list[Proposal]:
        rows = split.sample.x[split.fitted]
        weights = split.sample.weights[split.fitted] / split.sample.weights[split.fitted].sum()
        size = n_features(self.sizes.dim, self.sizes.degree)
        self.sizes.check_fits(1, size, len(rows), self.work)
        tried = enumerate_candidates(rows, weights, self.sizes, most=MOST)
        if not tried:
            raise ResourceLimit(
                "Expected a candidate whose partitions are separated; there is none on these nets: "
                "take finer nets or other factors of Delta_in and Delta_out by `constants`."
            )
        self.sizes.check_fits(len(tried), size, len(rows), self.work)
        return tried

    def _line(self, crude: GaussianMixture) -> Candidate:
        name = f"{crude.n_components} components of the nets"
        return Candidate(GivenCells(crude, name), self.sizes.degree, self.ridge, self.rho)

    def _findings(
        self, tried: Sequence[Proposal], kept: Sequence[Proposal], fields: Sequence[GatedScore]
    ) -> list[Finding]:
        crudes = len({id(proposal.crude) for proposal in tried})
        changes = sum(a is not b for a, b in zip(kept[1:], kept[:-1], strict=True))
        return [
            Finding("search", f"{len(tried)} candidates of {crudes} crude mixtures a level"),
            Finding("kept", f"changed {changes} times over {len(fields)} levels"),
            Finding("rows asked for", f"10^{self.sizes.log10_rows:.0f} by Lemma 50"),
        ]
