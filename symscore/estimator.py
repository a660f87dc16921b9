"""The scikit-learn estimator: samples in, a normalised density out."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names_in as feature_names_of
from sklearn.utils.validation import _check_sample_weight as checked_weights
from threadpoolctl import threadpool_limits

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, StartedAnew, caller_level
from symscore.fitted import FittedDensity
from symscore.flow.check import make_bijective
from symscore.flow.declared import Bounds, Transforms, declared_chart
from symscore.flow.fit_report import FitReport
from symscore.flow.flow import ScoreFlow
from symscore.io.blocks import contiguous_groups
from symscore.io.draws import from_arviz
from symscore.io.inputs import finite_rows, group_labels, seed_of
from symscore.io.mixing import mixing_of
from symscore.io.reporter import reporter
from symscore.learn.growing import ANEW, NO_SUMS, GrowingFit
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.ladder import ScoreLadder
from symscore.learn.score_statistics import ScoreStatistics
from symscore.learn.select import Progress
from symscore.recipes import Auto, LadderReport, Recipe, recipe_of


class ScoreDensity(FittedDensity):
    """Density estimation by the score of noised data.

    At every noise level of a ladder the denoiser ``E[x_0 | x_t]`` is fitted by one linear
    least-squares solve: a crude Gaussian mixture's exact denoiser plus low-degree polynomials in
    its cells. Two-stage steps from noise to data turn the ladder into a bijection, so the density
    is exactly normalised.

    Parameters
    ----------
    recipe : "auto" or a recipe
        How the ladder is learned; ``symscore.recipes.Auto(...)`` sets options of the default.
        With ``HardCells(...)``, what is fitted draws but has no density; see :meth:`soften`.
    bounds : mapping of column to (lower, upper), or d such pairs, optional
        Ends of a column's support; None or an infinite number leaves a side open. The density is
        learned in unconstrained coordinates, and its support is then exactly what is declared.
    transforms : mapping of column to str, optional
        ``"positive"``; ``"circular"``, with `bounds` for one turn if that is not (-pi, pi);
        ``"ordered"`` or ``"simplex"``, of several columns: a tuple of names, or ``"theta"`` for
        ``theta[0], theta[1], ...``. :mod:`symscore.flow.charts` has the formulas.
    random_state : int, numpy.random.RandomState or None
        Seed of folds, starts, regression noise and draws.
    verbose : int
        0 is silent; otherwise a line is printed at the end of every stage.

    Attributes
    ----------
    flow_ : ScoreFlow
        The learned distribution; absent after a recipe with hard cells.
    ladder_ : ScoreLadder or HardLadder
        The learned score at every noise level, in the coordinates of `chart_`.
    chart_ : Chart
        The bijection that `bounds` and `transforms` ask for.
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

    _growing: GrowingFit | None = None

    def __init__(
        self,
        recipe: Recipe | str = "auto",
        *,
        bounds: Bounds | None = None,
        transforms: Transforms | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.recipe = recipe
        self.bounds = bounds
        self.transforms = transforms
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
            Rows of one group stay in one fold of the cross-fit: chains, subjects, days. Rows that
            follow each other in time need it, else the fit follows their path:
            ``np.arange(n) * 8 // n`` labels eight blocks of n rows.
        progress : callable, optional
            Called with (stage, done, total).

        Returns
        -------
        ScoreDensity
            Itself.

        Raises
        ------
        BadData
            On too few rows, a cell that is not finite or outside its column's declared bounds, or
            columns that are constant or collinear; the row and column are named.
        BadOption
            On bounds or transforms of columns that are not there, or that contradict each other.

        Warns
        -----
        CircleCut
            If a circular column has no empty arc at which to cut it open.
        """
        return self._fit(recipe_of(self.recipe), X, sample_weight, groups, progress)

    def _fit(
        self, recipe: Recipe, X: Any, sample_weight: Any, groups: Any = None, progress: Any = None
    ) -> "ScoreDensity":
        x = finite_rows(self, X, reset=True)
        weights = checked_weights(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.sum() > 0:
            raise BadData("Expected some positive sample_weight; got none.")
        labels = None if groups is None else group_labels(groups, len(x))
        seed = seed_of(self.random_state)
        names = tuple(str(name) for name in feature_names_of(self))
        report = progress or reporter(self.verbose)
        chart = declared_chart(names, self.bounds, self.transforms, x, weights)
        v, free_names = chart.to_free(x), chart.free_names
        # Several BLAS threads contend on small matrices, and their sums depend on their number.
        with threadpool_limits(1):
            ladder, learned = recipe.fit(v, weights, labels, free_names, seed=seed, progress=report)
            self.chart_ = chart
            self._accept(ladder, np.unique(v, axis=0), learned, seed)
        self._growing = None
        return self

    def partial_fit(self, X: Any, y: None = None, sample_weight: Any = None) -> "ScoreDensity":
        """Learn from rows that arrive in pieces.

        The first call is :meth:`fit`: its rows choose frame, levels, cells, degrees and ridges for
        good, so they should show the shape of the whole. A later call adds to the sums, solves and
        checks again; how later rows are cut into pieces does not matter, to the last bit.

        Parameters
        ----------
        X : (n, d) array or DataFrame
            With the columns of the first piece; a later piece may be a single row.
        y : None
            Ignored; the scikit-learn protocol passes it.
        sample_weight : (n,) array, optional
            Non-negative weights, on one scale for all pieces.

        Returns
        -------
        ScoreDensity
            Itself; a later piece that is refused leaves it as it was.

        Raises
        ------
        BadData
            As :meth:`fit`.

        Warns
        -----
        StartedAnew
            After :meth:`fit`, which keeps no sums to add to: these rows are then the first.
        """
        growing = self._growing or self._begin(X, sample_weight)
        v = self.chart_.to_free(finite_rows(self, X))
        weights = checked_weights(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        growing = growing.added(v, weights)
        if self._growing is not None:
            how, seed = growing.report(self.report_.ladder, len(v)), self.report_.seed
            with threadpool_limits(1):
                self._accept(growing.statistics.ladder(), growing.sample, how, seed)
        self._growing = growing
        return self

    @property
    def statistics_(self) -> ScoreStatistics:
        """The sums, in the coordinates of `chart_`, over the rows given to :meth:`partial_fit`."""
        if self._growing is None:
            raise AttributeError(NO_SUMS)
        return self._growing.statistics

    def _begin(self, X: Any, sample_weight: Any) -> GrowingFit:
        """Fit the first piece and return sums over no rows that keep its choices."""
        recipe = recipe_of(self.recipe)
        if not isinstance(recipe, Auto):
            raise BadOption(f"Expected recipe Auto for partial_fit; got {recipe!r}: use fit.")
        if hasattr(self, "ladder_"):
            warnings.warn(ANEW, StartedAnew, stacklevel=caller_level())
        self._fit(replace(recipe, plain=False), X, sample_weight)
        if self.verbose:
            print("symscore: frame, levels, cells, degrees and ridges are kept for later rows")
        report, weights = self.report_, checked_weights(sample_weight, X, dtype=np.float64)
        return GrowingFit.of(self.flow_.ladder, report.ladder, weights, recipe.pairs, report.seed)

    def _accept(
        self, ladder: ScoreLadder | HardLadder, v: FloatArray, how: LadderReport, seed: int
    ) -> None:
        """Take over a learned ladder, once the steps of its flow have been checked at rows v."""
        if isinstance(ladder, HardLadder):
            self.__dict__.pop("flow_", None)  # of an earlier fit by another recipe
            self.ladder_, self.report_ = ladder, FitReport(how, (), seed)
            return
        rng = np.random.default_rng([seed, 2])
        mended, steps = make_bijective(ladder, ladder.frame.whiten(v), rng=rng)
        self.flow_, self.ladder_ = ScoreFlow(mended, self.chart_), mended
        self.report_ = FitReport(how, steps, seed)

    @classmethod
    def from_idata(
        cls,
        idata: Any,
        var_names: str | Sequence[str] | None = None,
        *,
        chain_weights: Sequence[float] | None = None,
        thin: bool = True,
        progress: Progress | None = None,
        **options: Any,
    ) -> "ScoreDensity":
        """Fit the posterior draws of an ArviZ object, whose chains stay whole in the cross-fit.

        Fewer than four chains are cut into contiguous blocks, at least four in all. What the draws
        are worth is in ``report_.mixing``.

        Parameters
        ----------
        idata : InferenceData, DataTree or Dataset
            With a group ``posterior``, or the dataset itself.
        var_names : sequence of str, optional
            Variables to take, all by default; vector variables give one column an element.
        chain_weights : sequence of float, optional
            One for each chain, as from stacking chains that stay in different modes; one of
            weight 0 leaves no trace. Whether the chains agree is then not asked.
        thin : bool
            Whether to leave out draws, down to four for each independent one or 4000 in all: the
            fit then takes less time and is hardly less accurate.
        progress : callable, optional
            As of :meth:`fit`.
        **options
            Of the estimator.

        Raises
        ------
        BadData
            As :meth:`fit`; on unknown variables; on weights that do not fit the chains.

        Warns
        -----
        FewEffectiveDraws
            If the draws of a column are worth fewer than 100 independent ones a column.
        ChainsDisagree
            If chains have not mixed, so that modes get wrong masses.
        """
        import pandas as pd

        draws = from_arviz(idata, var_names)
        if chain_weights is not None:
            draws = draws.weighted(chain_weights)
        found = mixing_of(draws)
        found.warn()
        if thin:
            draws = draws.thinned(found.thinning)
        table = pd.DataFrame(draws.values, columns=list(draws.names))
        groups = contiguous_groups(draws.chains)
        density = cls(**options).fit(table, None, draws.weights, groups, progress=progress)
        density.report_ = replace(density.report_, mixing=found)
        return density
