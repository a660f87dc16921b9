"""The methods that the accuracy benchmarks compare, each with what decides its results."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.baselines import Estimate, em_bic, em_true, kde
from benchmarks.flow_peers import flowjax_spline, zuko_spline
from benchmarks.remember import digest, fit_files, sources, stamp
from benchmarks.targets import Target
from symscore import ScoreDensity
from symscore.arrays import FloatArray
from symscore.errors import SymscoreWarning

OURS, TRUE_K, BIC, KDE = "symscore", "EM true k", "EM BIC", "KDE"
RIVALS = (BIC, KDE)  # a user has them without knowing the truth
Fit = Callable[[FloatArray, Target, int], Estimate | None]


@dataclass(frozen=True)
class Method:
    """A way to fit a density to data.

    Attributes
    ----------
    fit : callable
        Called with data (n, d), the target and a seed; None where it does not apply.
    modules, packages : tuple of str
        Whose sources and versions decide the outcome.
    needs : tuple of str
        Packages without which it is left out.
    """

    fit: Fit
    modules: tuple[str, ...] = ("benchmarks.baselines",)
    packages: tuple[str, ...] = ("numpy", "scikit-learn")
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that it needs and that are not installed."""
        return tuple(package for package in self.needs if find_spec(package) is None)


def ours(data: FloatArray, truth: object, seed: int) -> Estimate:
    """Fit the estimator of this package with no options."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SymscoreWarning)
        fitted = ScoreDensity(random_state=seed).fit(data)
    said = [entry.category.__name__ for entry in caught]
    gain = fitted.report_.ladder.gain
    if gain is not None:
        taken = "a mixture" if gain.taken else f"{gain.nats:+.4f} nats on a mixture"
        said.insert(0, f"{taken} with k = {gain.components}")
    return Estimate(fitted.flow_.log_density, fitted.flow_.draw, "; ".join(said))


@cache
def prepare(name: str) -> None:
    """Compile or load what a method needs, which is no part of a fit's time."""
    if name != OURS:
        return
    rows = np.random.default_rng(0).standard_normal((100, 2))
    density = ScoreDensity(random_state=0).fit(rows)
    density.score_samples(density.sample(10))


METHODS: dict[str, Method] = {
    OURS: Method(ours, (), ("numpy", "scipy", "scikit-learn", "numba")),
    TRUE_K: Method(em_true),
    BIC: Method(em_bic),
    KDE: Method(
        kde, ("benchmarks.baselines", "symscore.baselines.kde", "symscore.baselines.frame")
    ),
    "zuko": Method(zuko_spline, ("benchmarks.flow_peers",), ("zuko", "torch"), ("zuko",)),
    "FlowJAX": Method(flowjax_spline, ("benchmarks.flow_peers",), ("flowjax", "jax"), ("flowjax",)),
}
MAIN = (OURS, TRUE_K, BIC, KDE)
FLOWS = ("zuko", "FlowJAX")


@cache
def stamp_of(name: str) -> str:
    """Return a name of the sources and versions that decide a method's results."""
    method = METHODS[name]
    own = sources(fit_files()) if name == OURS else ""
    return digest(name, own, stamp(method.modules, method.packages))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence sizes of the scan that do not converge and lose on BIC, and nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
