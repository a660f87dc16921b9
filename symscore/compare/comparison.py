"""Compare density estimators on one split of one data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape
from symscore.baselines.estimate import DensityEstimate
from symscore.baselines.frame import standard_frame
from symscore.compare.methods import METHODS, REFERENCE, check_methods
from symscore.compare.metrics import energy_distance, mean_log_density, paired_difference
from symscore.compare.result import MethodResult, cautions, verdict
from symscore.errors import BadData, BadOption
from symscore.learn.select import Progress

FEWEST_HELD_OUT = 10
FEWEST_TRAINING = 20
# Draws of each method, and the most held-out rows, that the energy distance compares.
DRAWS = 2000


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """What :func:`compare` found.

    Parameters
    ----------
    results : tuple of MethodResult
        One for each method, in the order asked for.
    reference : str
        The method that the others are compared with.
    names : tuple of str
        The columns of the data.
    n_training, n_holdout : int
        Rows fitted and rows judged on.
    """

    results: tuple[MethodResult, ...]
    reference: str
    names: tuple[str, ...]
    n_training: int
    n_holdout: int

    @property
    def verdict(self) -> str:
        """What may be said of the reference at this sample size, in one sentence."""
        return verdict(self.results, self.reference, self.n_holdout)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Sentences on figures that should not be taken at their word; often none."""
        return cautions(self.results)

    def table(self) -> pd.DataFrame:
        """Return one row for each method; NaN where a figure does not exist.

        Columns: ``log_density`` (mean over the held-out rows, nats), ``difference`` (that minus
        the reference's, paired), ``energy_distance`` (columns in training standard deviations),
        each followed by its standard error ``..._se``; ``ess`` and ``rhat`` of the methods that
        run chains; ``seconds`` of the fit.
        """
        return pd.DataFrame(
            [_row(result) for result in self.results],
            index=pd.Index([result.name for result in self.results], name="method"),
        )

    def to_arviz(self) -> xr.DataTree:
        """Return the draws of each method as a tree that ArviZ reads.

        The node ``tree[method]`` has the group ``posterior`` with a variable for each column and
        dimensions (chain, draw); the draws are independent, so there is one chain. A slash in a
        column's name, which a tree cannot hold, becomes an underscore.
        """
        return xr.DataTree.from_dict(
            {f"/{result.name}/posterior": self._draws(result) for result in self.results}
        )

    def _draws(self, result: MethodResult) -> xr.Dataset:
        columns = zip(self.names, result.draws.T, strict=True)
        coords = {"chain": [0], "draw": np.arange(len(result.draws))}
        data = {
            name.replace("/", "_"): (("chain", "draw"), column[None]) for name, column in columns
        }
        return xr.Dataset(data, coords)

    def __str__(self) -> str:
        table = self.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4g}")
        return "\n".join([table, "", self.verdict, *self.cautions])


def compare(
    X: ArrayLike | pd.DataFrame,
    *,
    methods: Sequence[str] = (REFERENCE, "em", "kde", "mcmc"),
    holdout: float = 0.25,
    random_state: int | None = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Fit each method to the same training rows and judge it on the same held-out rows.

    Parameters
    ----------
    X : (n, d) array or DataFrame of numeric columns
    methods : sequence of str
        Some of ``symscore``, ``em`` (Gaussian mixture by EM, its size by BIC), ``kde`` (Gaussian
        kernels, cross-validated) and ``mcmc`` (Bayesian mixture by PyMC's NUTS). The others are
        compared with ``symscore``, or with the first if it is absent.
    holdout : float
        Share of the rows held out, in (0, 1).
    random_state : int, optional
        Fixes the split, the fits and the draws. A method's figures do not depend on which others
        are compared.
    progress : callable, optional
        Called as ``progress(method, done, total)`` before and after each method.

    Returns
    -------
    Comparison

    Raises
    ------
    BadData
        On text, missing or infinite values, columns without a density, or fewer than 10 held-out
        or 20 (or 5 (d + 1)) training rows.
    BadOption
        On an unknown method or a `holdout` outside (0, 1).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = compare(rng.normal(size=(400, 1)), methods=("em", "kde"))
    >>> found.table().index.tolist()
    ['em', 'kde']
    """
    chosen = check_methods(tuple(methods))
    if not 0 < holdout < 1:
        raise BadOption(f"Expected holdout between 0 and 1; got {holdout}.")
    samples, names = _as_samples(X)
    entropy = np.random.SeedSequence(random_state).entropy
    training, held_out = _split(samples, holdout, rng=_stream(entropy, 0))
    judge = _Judge(training, held_out, entropy)
    judged: dict[str, tuple[DensityEstimate, FloatArray]] = {}
    for done, name in enumerate(chosen):
        if progress is not None:
            progress(name, done, len(chosen))
        judged[name] = judge.fit(name)
        if progress is not None:
            progress(name, done + 1, len(chosen))
    reference = REFERENCE if REFERENCE in chosen else chosen[0]
    return Comparison(
        results=tuple(
            judge.result(estimate, log_density, judged[reference][1])
            for estimate, log_density in judged.values()
        ),
        reference=reference,
        names=names,
        n_training=len(training),
        n_holdout=len(held_out),
    )


@final
@dataclass(frozen=True, eq=False)
class _Judge:
    training: FloatArray
    held_out: FloatArray
    entropy: Any

    def fit(self, name: str) -> tuple[DensityEstimate, FloatArray]:
        """Return the estimate and its log density at the held-out rows."""
        estimate = METHODS[name](self.training, rng=_stream(self.entropy, 1, name))
        return estimate, estimate.log_density(self.held_out)

    def result(
        self, estimate: DensityEstimate, log_density: FloatArray, reference: FloatArray
    ) -> MethodResult:
        draws = estimate.draw(DRAWS, rng=_stream(self.entropy, 2, estimate.name))
        frame = standard_frame(self.training)
        distance = energy_distance(frame.whiten(draws), frame.whiten(self.held_out[:DRAWS]))
        return MethodResult(
            name=estimate.name,
            log_density=mean_log_density(log_density),
            difference=paired_difference(log_density, reference),
            energy_distance=distance,
            seconds=estimate.seconds,
            diagnostics=estimate.diagnostics,
            draws=draws,
        )


def _row(result: MethodResult) -> dict[str, float]:
    nan = float("nan")
    return {
        "log_density": result.log_density.value,
        "log_density_se": result.log_density.standard_error,
        "difference": result.difference.value,
        "difference_se": result.difference.standard_error,
        "energy_distance": result.energy_distance.value,
        "energy_distance_se": result.energy_distance.standard_error,
        "ess": result.diagnostics.get("ess", nan),
        "rhat": result.diagnostics.get("rhat", nan),
        "seconds": result.seconds,
    }


def _stream(entropy: Any, purpose: int, method: str = "em") -> np.random.Generator:
    """Return the generator of one purpose and method, whatever else is compared."""
    key = (purpose, list(METHODS).index(method))
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))


def _split(
    samples: FloatArray, holdout: float, *, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    n, dim = samples.shape
    n_holdout = round(n * holdout)
    need = max(FEWEST_TRAINING, 5 * (dim + 1))
    if n_holdout < FEWEST_HELD_OUT or n - n_holdout < need:
        raise BadData(
            f"Expected at least {FEWEST_HELD_OUT} held-out and {need} training rows; got "
            f"{n_holdout} and {n - n_holdout} of {n}: add rows or change holdout."
        )
    shuffled = samples[rng.permutation(n)]
    return shuffled[n_holdout:], shuffled[:n_holdout]


def _as_samples(X: ArrayLike | pd.DataFrame) -> tuple[FloatArray, tuple[str, ...]]:
    if isinstance(X, pd.DataFrame):
        text = [
            name
            for name, dtype in zip(X.columns, X.dtypes, strict=True)
            if not pd.api.types.is_numeric_dtype(dtype)
        ]
        if text:
            raise BadData(f"Expected numeric columns; column {text[0]!r} is not: leave it out.")
        names = tuple(str(name) for name in X.columns)
        if len(set(names)) < len(names):
            raise BadData(f"Expected distinct column names; got {', '.join(names)}.")
        values = X.to_numpy(dtype=np.float64, na_value=np.nan)
        return as_points("X", values, len(names)), names
    array = np.asarray(X)
    check_shape("X", array, None, None)
    dim = array.shape[1]
    return as_points("X", array, dim), tuple(f"x{j}" for j in range(dim))
