"""What a fit did, from the choice of cells to the check of the flow."""

from dataclasses import dataclass
from typing import final

from symscore.flow.check import StepCheck
from symscore.learn.mixing import Mixing
from symscore.learn.report import LadderReport


@final
@dataclass(frozen=True)
class FitReport:
    """What a fit did: how the ladder was learned, and the check that its flow is a bijection.

    Attributes
    ----------
    ladder : LadderReport
        Rows, folds, smoothing, and the choice made at every level with its held-out risk.
    steps : tuple of StepCheck
        Smallest eigenvalues found at every step and how far a deviation was scaled down. They are
        checked at sampled points, not certified.
    seed : int
        Seed that repeats this fit, bit for bit, on the same machine and data.
    mixing : Mixing or None
        Effective sample size and R-hat of every column, where the rows are draws of chains.
    """

    ladder: LadderReport
    steps: tuple[StepCheck, ...]
    seed: int
    mixing: Mixing | None = None
