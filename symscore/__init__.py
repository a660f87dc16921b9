"""Turn samples into a probability distribution that can be used and checked.

``ScoreDensity().fit(draws).flow_`` learns the score of noised data level by level and returns its
probability flow: an exactly normalised, invertible density. ``symscore.pymc.LearnedScore`` puts it
into a PyMC model. Names are loaded on first use, so that importing symscore stays cheap.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "GaussianMixture": "symscore.mixture",
    "PiecewiseScore": "symscore.learn.field",
    "ScoreLadder": "symscore.learn.ladder",
    "ScoreFlow": "symscore.flow.flow",
    "ScoreStatistics": "symscore.learn.score_statistics",
    "ScoreDensity": "symscore.estimator",
    "save": "symscore.io.model_file",
    "load": "symscore.io.model_file",
    "save_statistics": "symscore.io.statistics_file",
    "load_statistics": "symscore.io.statistics_file",
}
_MODULES = ("compare", "errors", "exact", "pymc", "recipes")

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _MODULES:
        return import_module(f"symscore.{name}")
    raise AttributeError(f"module 'symscore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
