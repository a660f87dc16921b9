"""Recipes: ways to learn a ladder of scores from data, as options of the estimator."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.ladder import ScoreLadder
from symscore.learn.recipes.auto import Auto
from symscore.learn.recipes.hard_cells import HardCells
from symscore.learn.report import LadderReport, LevelChoice
from symscore.learn.select import Progress

__all__ = [
    "Auto",
    "HardCells",
    "LadderReport",
    "LevelChoice",
    "Recipe",
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


def recipe_of(value: Recipe | str) -> Recipe:
    """Return the recipe that an option stands for; "auto" is the default one.

    Raises
    ------
    BadOption
        Where it is neither "auto" nor an object with a method ``fit``.
    """
    if isinstance(value, str) and value == "auto":
        return Auto()
    if isinstance(value, type) or not isinstance(value, Recipe):
        raise BadOption(f"Expected recipe 'auto' or a recipe object; got {value!r}.")
    return value
