"""What every method of density estimation returns, so that one referee can judge them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, final, runtime_checkable

import numpy as np

from symscore.arrays import FloatArray


@runtime_checkable
class Density(Protocol):
    """A normalised density on R^d that can be evaluated and drawn from."""

    def log_density(self, x: FloatArray, /) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        ...

    def draw(self, n: int, /, *, rng: np.random.Generator) -> FloatArray:
        """Draw n points, shape (n, d)."""
        ...


@final
@dataclass(frozen=True, eq=False)
class DensityEstimate:
    """A fitted density with its name and its cost.

    Parameters
    ----------
    name : str
        The method, as it is shown to a reader.
    density : Density
        The fitted density, in the units of the data.
    seconds : float
        Wall-clock time of the fit, compilation included.
    diagnostics : mapping of str to float
        What the method says of itself, for instance ``components`` or ``rhat``.
    """

    name: str
    density: Density
    seconds: float
    diagnostics: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "diagnostics", MappingProxyType(dict(self.diagnostics)))

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        return self.density.log_density(x)

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n points, shape (n, d)."""
        return self.density.draw(n, rng=rng)
