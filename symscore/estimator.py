"""The scikit-learn estimator: samples in, a normalised density out."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in as feature_names_of
from sklearn.utils.validation import _check_sample_weight as checked_weights
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.flow.check import StepCheck, make_bijective
from symscore.flow.flow import ScoreFlow
from symscore.io.draws import from_arviz
from symscore.learn.select import Progress
from symscore.recipes import Auto, LadderReport


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
    """

    ladder: LadderReport
    steps: tuple[StepCheck, ...]
    seed: int


class ScoreDensity(DensityMixin, BaseEstimator):
    """Density estimation by the score of noised data.

    At every noise level of a ladder the denoiser ``E[x_0 | x_t]`` is fitted by one linear
    least-squares solve: a crude Gaussian mixture's exact denoiser plus low-degree polynomials in
    its cells. Two-stage steps from noise to data turn the ladder into a bijection, so the density
    is exactly normalised.

    Parameters
    ----------
    recipe : "auto" or a recipe
        How the ladder is learned; ``symscore.recipes.Auto(...)`` sets options of the default.
    random_state : int, numpy.random.RandomState or None
        Seed of folds, starts, regression noise and draws.
    verbose : int
        0 is silent; otherwise a line is printed at the end of every stage.

    Attributes
    ----------
    flow_ : ScoreFlow
        The learned distribution.
    ladder_ : ScoreLadder
        The learned score at every noise level.
    report_ : FitReport
        What was tried, chosen and checked.

    Examples
    --------
    >>> import numpy as np
    >>> from symscore import ScoreDensity
    >>> from symscore.recipes import Auto
    >>> draws = np.random.default_rng(0).normal(size=(200, 1))
    >>> density = ScoreDensity(Auto(em=(1,), kmeans=()), random_state=0).fit(draws)
    >>> density.score_samples([[0.0]]).shape
    (1,)
    >>> density.sample(3).shape
    (3, 1)
    """

    def __init__(
        self,
        recipe: Auto | str = "auto",
        *,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.recipe = recipe
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: None = None,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        progress: Progress | None = None,
    ) -> "ScoreDensity":
        """Learn the density of the rows of X.

        Parameters
        ----------
        X : (n, d) array or DataFrame
            Finite numbers; a DataFrame's column names become the names of the flow.
        y : None
            Ignored; the scikit-learn protocol passes it.
        sample_weight : (n,) array, optional
            Non-negative weights; twice the weight is the same as the row twice.
        groups : (n,) array, optional
            Rows of one group stay in one fold of the cross-fit: chains, subjects, days.
        progress : callable, optional
            Called with (stage, done, total).

        Returns
        -------
        ScoreDensity
            Itself.

        Raises
        ------
        BadData
            On too few rows, a cell that is not finite, or columns that are constant or collinear;
            the row and column are named.
        """
        x = self._points(X, reset=True)
        weights = checked_weights(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.sum() > 0:
            raise BadData("Expected some positive sample_weight; got none.")
        labels = None if groups is None else _group_labels(groups, len(x))
        seed = self._seed()
        recipe = self._recipe()
        names = tuple(str(name) for name in feature_names_of(self))
        report = progress or _reporter(self.verbose)
        # Several BLAS threads contend on small matrices, and their sums depend on their number.
        with threadpool_limits(1):
            ladder, learned = recipe.fit(x, weights, labels, names, seed=seed, progress=report)
            whitened = ladder.frame.whiten(np.unique(x, axis=0))
            rng = np.random.default_rng([seed, 2])
            self.ladder_, steps = make_bijective(ladder, whitened, rng=rng)
        self.flow_ = ScoreFlow(self.ladder_)
        self.report_ = FitReport(learned, steps, seed)
        return self

    @classmethod
    def from_idata(
        cls, idata: Any, var_names: Sequence[str] | None = None, **options: Any
    ) -> "ScoreDensity":
        """Fit the posterior draws of an ArviZ object; chains stay whole in the cross-fit.

        Parameters
        ----------
        idata : InferenceData, DataTree or Dataset
            With a group ``posterior``, or the dataset itself.
        var_names : sequence of str, optional
            Variables to take, all by default; vector variables give one column an element.
        **options
            Of the estimator.
        """
        draws = from_arviz(idata, var_names)
        import pandas as pd

        table = pd.DataFrame(draws.values, columns=list(draws.names))
        groups = draws.chains if len(np.unique(draws.chains)) > 1 else None
        return cls(**options).fit(table, groups=groups)

    def score_samples(self, X: Any) -> FloatArray:
        """Return the log density of each row of X, shape (n,)."""
        return self._fitted().log_density(self._points(X))

    def score(self, X: Any, y: None = None) -> float:
        """Return the mean log density of the rows of X (scikit-learn's meaning of "score")."""
        return float(np.mean(self.score_samples(X)))

    def grad_log_density(self, X: Any) -> FloatArray:
        """Return the gradient of the log density at each row of X, shape (n, d)."""
        return self._fitted().score(self._points(X))

    def sample(self, n_samples: int = 1) -> FloatArray:
        """Draw independent rows, shape (n_samples, d); an integer seed repeats them."""
        flow = self._fitted()
        if n_samples < 1:
            raise BadOption(f"Expected n_samples >= 1; got {n_samples}.")
        rng = np.random.default_rng([self._seed(), 3])
        return flow.draw(n_samples, rng=rng)

    def _fitted(self) -> ScoreFlow:
        check_is_fitted(self, "flow_")
        return self.flow_

    def _points(self, X: Any, *, reset: bool = False) -> FloatArray:
        """Return X as finite float64 rows; scikit-learn's own message names no cell."""
        points = validate_data(
            self,
            X,
            dtype=np.float64,
            reset=reset,
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite=False,
        )
        bad = np.argwhere(~np.isfinite(points))
        if len(bad):
            row, column = bad[0]
            shown = "NaN" if np.isnan(points[row, column]) else "inf"
            raise BadData(
                f"Expected finite numbers; got {shown} at row {row}, column "
                f"{feature_names_of(self)[column]!r} ({len(bad)} such cells): leave those rows out."
            )
        return points

    def _recipe(self) -> Auto:
        if isinstance(self.recipe, str) and self.recipe == "auto":
            return Auto()
        if not isinstance(self.recipe, Auto):
            raise BadOption(f"Expected recipe 'auto' or a recipe object; got {self.recipe!r}.")
        return self.recipe

    def _seed(self) -> int:
        if self.random_state is None:
            return secrets.randbits(32)
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))


def _group_labels(groups: Any, n: int) -> np.ndarray:
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise BadData(f"Expected groups of shape ({n},); got {labels.shape}.")
    return np.unique(labels, return_inverse=True)[1].astype(np.float64)


def _reporter(verbose: int) -> Progress:
    def silent(stage: str, done: int, total: int) -> None:
        pass

    def printed(stage: str, done: int, total: int) -> None:
        if done == total:
            print(f"symscore: {stage}, {total} done")

    return printed if verbose else silent
