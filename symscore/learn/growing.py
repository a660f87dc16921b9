"""A fit to which rows are added: its sums, and the few rows at which its flow is checked."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from symscore.arrays import FloatArray, frozen
from symscore.learn.ladder import ScoreLadder
from symscore.learn.ladder_design import LadderDesign
from symscore.learn.report import LadderReport
from symscore.learn.score_statistics import ScoreStatistics

KEPT = 400  # rows, a uniform sample of all
NO_SUMS = "Expected an estimator that was given rows by partial_fit; fit keeps no sums."
ANEW = (
    "fit keeps no sums to add to, so partial_fit begins anew and what fit had learned is dropped: "
    "give partial_fit all rows, from the first on."
)


@final
@dataclass(frozen=True, eq=False)
class GrowingFit:
    """Sums over all rows so far, and a uniform sample of the rows.

    A row is in the sample if its priority, a uniform number that depends on the seed and its
    position alone, is among the ``KEPT`` smallest. So chunks leave no trace in the sample either.

    Parameters
    ----------
    statistics : ScoreStatistics
        Of one stream.
    sample : (m, d) array
        In the coordinates of the data, in order of position.
    priorities : (m,) array
    """

    statistics: ScoreStatistics
    sample: FloatArray
    priorities: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "sample", frozen(self.sample))
        object.__setattr__(self, "priorities", frozen(self.priorities))

    @classmethod
    def of(
        cls, ladder: ScoreLadder, report: LadderReport, weights: FloatArray, pairs: int, seed: int
    ) -> "GrowingFit":
        """Return a fit of no rows yet, which keeps all that a first fit, of `weights`, chose."""
        degrees = [[c.degree for c in level.candidates] for level in report.levels]
        ridges = [[c.ridge for c in level.candidates] for level in report.levels]
        pilot = float(weights.sum())
        design = LadderDesign.of(ladder, degrees, ridges, pilot_weight=pilot, pairs=pairs)
        statistics = ScoreStatistics.empty(design, seed=seed)
        return cls(statistics, np.empty((0, ladder.dim)), np.empty(0))

    def added(self, x: FloatArray, weights: FloatArray) -> "GrowingFit":
        """Return the fit with the next rows x (n, d) of weights (n,)."""
        statistics = self.statistics
        fresh = _priorities(statistics.seed, statistics.n_rows, len(x))
        rows = np.concatenate([self.sample, x])
        priorities = np.concatenate([self.priorities, fresh])
        kept = np.sort(np.argsort(priorities, kind="stable")[:KEPT])
        return GrowingFit(statistics.added(x, weights), rows[kept], priorities[kept])

    def report(self, before: LadderReport, n_new: int) -> LadderReport:
        """Return the report of the first fit with the rows so far.

        Identical rows of later pieces are not merged, so that each counts as distinct.
        """
        return replace(before, n_rows=self.statistics.n_rows, n_distinct=before.n_distinct + n_new)


def _priorities(seed: int, first: int, n: int) -> FloatArray:
    """Return uniform numbers (n,) of the positions from `first` on."""
    # No level has this number. A counter gives four numbers, of which a position takes one.
    key = np.array([seed, 2**64 - 1], dtype=np.uint64)
    counter = np.array([first, 0, 0, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).random((n, 4))[:, 0]
