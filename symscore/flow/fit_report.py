"""What a fit did, from the choice of cells to the check of the flow."""

from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

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

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain numbers, strings, lists and dicts, ready for JSON."""
        return {
            "ladder": self.ladder.to_dict(),
            "steps": [asdict(step) | {"factors": list(step.factors)} for step in self.steps],
            "seed": self.seed,
            "mixing": self._mixing(),
        }

    def _mixing(self) -> dict[str, Any] | None:
        if self.mixing is None:
            return None
        figures = zip(self.mixing.names, self.mixing.effective, self.mixing.rhat, strict=True)
        return {
            name: {"effective": _finite_or_none(size), "rhat": _finite_or_none(rhat)}
            for name, size, rhat in figures
        }

    def __str__(self) -> str:
        lines = [str(self.ladder), "", self._bijection()]
        if self.mixing is not None:
            lines.append(
                f"draws           smallest effective size {self.mixing.smallest:.0f}, "
                f"largest R-hat {self.mixing.largest_rhat:.3f}"
            )
        return "\n".join(lines)

    def _bijection(self) -> str:
        if not self.steps:
            return "bijection       no density, nothing to check"
        points = sum(step.n_points for step in self.steps)
        lowest = min(min(step.first_stage, step.second_stage) for step in self.steps)
        shrunk = sum(step.factors != (1.0, 1.0) for step in self.steps)
        return (
            f"bijection       checked at {points} points of {len(self.steps)} steps: smallest "
            f"eigenvalue {lowest:.2g}; deviations scaled down at {shrunk} steps"
        )


def _finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
