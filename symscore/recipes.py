"""Recipes: ways to learn a ladder of scores from data, as options of the estimator."""

from symscore.learn.recipes.auto import Auto, LadderReport, LevelChoice

__all__ = ["Auto", "LadderReport", "LevelChoice"]
