"""The figures of one method, and the sentence that several of them justify."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from symscore.arrays import FloatArray, frozen
from symscore.compare.methods import METHODS, SHOWN_AS
from symscore.compare.metrics import Measured

# Differences within this many standard errors are not told apart.
TOLD_APART = 2.0
LARGEST_RHAT = 1.05


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MethodResult:
    """How one method did on the held-out rows.

    Parameters
    ----------
    name : str
    log_density : Measured
        Mean log density of the held-out rows, in nats.
    difference : Measured
        Mean log density minus that of the reference method, paired by row.
    energy_distance : Measured
        Between own draws and held-out rows, in units of the columns' standard deviations.
    seconds : float
        Wall-clock time of the fit.
    diagnostics : mapping of str to float
        What the method says of itself; ``ess`` and ``rhat`` where it runs chains.
    draws : (m, d) array
        Draws of the fitted density, in the units of the data.
    """

    name: str
    log_density: Measured
    difference: Measured
    energy_distance: Measured
    seconds: float
    diagnostics: Mapping[str, float]
    draws: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "diagnostics", MappingProxyType(dict(self.diagnostics)))
        object.__setattr__(self, "draws", frozen(self.draws))

    @property
    def is_better(self) -> bool:
        """Whether it beats the reference by more than two standard errors."""
        return self._gap(1.0)

    @property
    def is_worse(self) -> bool:
        """Whether the reference beats it by more than two standard errors."""
        return self._gap(-1.0)

    def _gap(self, sign: float) -> bool:
        value, error = sign * self.difference.value, self.difference.standard_error
        return value == float("inf") or value > TOLD_APART * error


def verdict(results: Sequence[MethodResult], reference: str, n_holdout: int) -> str:
    """Return what may be said of `reference` among `results`, in one sentence.

    A method counts as better or worse only if its paired difference exceeds two standard errors.
    """
    others = [result for result in results if result.name != reference]
    better = [result for result in others if result.is_better]
    worse = [result for result in others if result.is_worse]
    tied = [result for result in others if result not in better and result not in worse]
    name, points = SHOWN_AS[reference], f"{n_holdout} held-out rows"
    if not others:
        return f"{name} was compared with nothing."
    if better:
        return f"{_listed(better)} predicts better than {name} on {points}."
    if not tied:
        return f"{name} predicts better than {_listed(worse)} on {points}."
    simplest = min((reference, *(result.name for result in tied)), key=list(METHODS).index)
    told = f"; {name} predicts better than {_listed(worse)}" if worse else ""
    return (
        f"No difference can be told at this sample size ({points}) between {name} and "
        f"{_named(tied)}: {SHOWN_AS[simplest]} is the simplest that does as well{told}."
    )


def cautions(results: Sequence[MethodResult]) -> tuple[str, ...]:
    """Return a sentence for each figure that should not be taken at its word."""
    found = []
    for result in results:
        name, said = SHOWN_AS[result.name], result.diagnostics
        if said.get("rhat", 1.0) > LARGEST_RHAT:
            found.append(f"{name} has not converged (R-hat {said['rhat']:.2f}): run it longer.")
        if said.get("divergences", 0.0) > 0:
            found.append(f"{name} had {said['divergences']:.0f} divergent transitions.")
        if said.get("converged", 1.0) == 0:
            found.append(f"{name} stopped before it converged.")
        if said.get("at_edge", 0.0) == 1:
            found.append(
                f"{name}'s bandwidth lies at the end of its grid: rounded or repeated rows?"
            )
    return tuple(found)


def _named(results: Sequence[MethodResult]) -> str:
    return _joined([SHOWN_AS[result.name] for result in results])


def _listed(results: Sequence[MethodResult]) -> str:
    return _joined([f"{SHOWN_AS[result.name]} (by {_size(result)})" for result in results])


def _size(result: MethodResult) -> str:
    value, error = abs(result.difference.value), result.difference.standard_error
    if value == float("inf"):
        return "infinity: a density of zero at a held-out row"
    return f"{value:.3f} nats a row, standard error {error:.3f}"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
