"""What a fitted density answers, whichever way it was fitted."""

from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from symscore.arrays import FloatArray
from symscore.errors import BadOption, NoDensity
from symscore.flow.charts import Chart
from symscore.flow.fit_report import FitReport
from symscore.flow.flow import NO_FLOW, ScoreFlow
from symscore.flow.soften import softened
from symscore.io.inputs import finite_rows, seed_of
from symscore.learn.growing import NO_SUMS
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.ladder import ScoreLadder


class FittedDensity(DensityMixin, BaseEstimator):
    """Base of :class:`~symscore.ScoreDensity`: the methods that need a fit."""

    random_state: int | np.random.RandomState | None
    flow_: ScoreFlow
    ladder_: ScoreLadder | HardLadder
    chart_: Chart
    report_: FitReport

    def score_samples(self, X: Any) -> FloatArray:
        """Return the log density of each row of X, shape (n,); -inf outside the bounds."""
        return self._fitted().log_density(finite_rows(self, X))

    def score(self, X: Any, y: None = None) -> float:
        """Return the mean log density of the rows of X (scikit-learn's meaning of "score")."""
        return float(np.mean(self.score_samples(X)))

    def grad_log_density(self, X: Any) -> FloatArray:
        """Return the gradient of the log density at each row of X, shape (n, d)."""
        return self._fitted().score(finite_rows(self, X))

    def sample(self, n_samples: int = 1) -> FloatArray:
        """Draw independent rows, shape (n_samples, d); an integer seed repeats them."""
        check_is_fitted(self, "ladder_")
        if n_samples < 1:
            raise BadOption(f"Expected n_samples >= 1; got {n_samples}.")
        rng = np.random.default_rng([seed_of(self.random_state), 3])
        if isinstance(self.ladder_, HardLadder):
            return self.chart_.from_free(self.ladder_.draw(n_samples, rng=rng))
        return self.flow_.draw(n_samples, rng=rng)

    def soften(self) -> Self:
        """Return the estimator fitted with soft cells, which has a density.

        Rows, levels, cells, degree and ridge are those of this fit with hard cells, at draws of
        which the flow is checked. A fit that is soft already is returned itself.
        """
        check_is_fitted(self, "ladder_")
        if isinstance(self.ladder_, ScoreLadder):
            return self
        soft = copy(self)
        with threadpool_limits(1):
            soft.flow_, steps = softened(self.ladder_, self.chart_, seed=self.report_.seed)
        soft.ladder_ = soft.flow_.ladder
        soft.report_ = replace(self.report_, steps=steps)
        return soft

    def __getattr__(self, name: str) -> Any:
        if name == "flow_" and "ladder_" in vars(self):
            raise AttributeError(NO_FLOW)
        if name == "statistics_":
            raise AttributeError(NO_SUMS)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _fitted(self) -> ScoreFlow:
        check_is_fitted(self, "ladder_")
        if isinstance(self.ladder_, HardLadder):
            raise NoDensity(NO_FLOW)
        return self.flow_
