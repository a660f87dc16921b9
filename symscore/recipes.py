"""Recipes: ways to learn a ladder of scores from data, as options of the estimator."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.ladder import ScoreLadder
from symscore.learn.recipes.auto import Auto
from symscore.learn.recipes.ddpm_gradient import DDPMGradient
from symscore.learn.recipes.general_mixture import GeneralMixture
from symscore.learn.recipes.hard_cells import HardCells
from symscore.learn.recipes.warm_start_voronoi import WarmStartVoronoi
from symscore.learn.report import LadderReport, LevelChoice
from symscore.learn.select import Progress

__all__ = [
    "NAMED",
    "Auto",
    "DDPMGradient",
    "GeneralMixture",
    "HardCells",
    "LadderReport",
    "LevelChoice",
    "Recipe",
    "WarmStartVoronoi",
    "recipe_of",
]


@runtime_checkable
class Recipe(Protocol):
    """A way to learn a ladder of scores; the estimator takes any object with this method."""

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        groups: np.ndarray | None,
        names: Sequence[str],
        *,
        seed: int,
        progress: Progress,
    ) -> tuple[ScoreLadder | HardLadder, LadderReport]:
        """Learn from the rows of x (n, d), and say how.

        Parameters
        ----------
        x : (n, d) array
            Finite rows.
        weights : (n,) array
            Non-negative, with a positive sum.
        groups : (n,) array or None
            Rows of one group depend on each other and must not be divided in a cross-fit.
        names : sequence of str
            Names of the d columns.
        seed : int
            Decides everything that is left to chance.
        progress : callable
            Called with (stage, done, total).

        Returns
        -------
        ScoreLadder or HardLadder
            A :class:`~symscore.learn.hard_ladder.HardLadder` draws and has no density.
        LadderReport
        """


NAMED: dict[str, Callable[[], Recipe]] = {
    "auto": Auto,
    "ddpm-gradient": DDPMGradient,
    "general-mixture": GeneralMixture,
    "warm-start-voronoi": WarmStartVoronoi,
    "hard-cells": HardCells,
}


def recipe_of(value: Recipe | str) -> Recipe:
    """Return the recipe that an option stands for; a name is that of one with its defaults.

    The names are "auto" and the other keys of ``NAMED``.

    Raises
    ------
    BadOption
        Where it is neither a name nor an object with a method ``fit``.
    """
    if isinstance(value, str) and value in NAMED:
        return NAMED[value]()
    if isinstance(value, type) or not isinstance(value, Recipe):
        others = ", ".join(repr(name) for name in NAMED if name != "auto")
        raise BadOption(
            f"Expected recipe 'auto' or a recipe object, or one of {others}; got {value!r}."
        )
    return value
