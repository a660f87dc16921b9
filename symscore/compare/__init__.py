"""The referee: fit several density estimators to one training set, judge them on held-out rows."""

from symscore.compare.comparison import Comparison, compare
from symscore.compare.metrics import (
    Measured,
    TotalVariation,
    energy_distance,
    mean_log_density,
    paired_difference,
    total_variation,
)
from symscore.compare.result import MethodResult

__all__ = [
    "Comparison",
    "Measured",
    "MethodResult",
    "TotalVariation",
    "compare",
    "energy_distance",
    "mean_log_density",
    "paired_difference",
    "total_variation",
]
