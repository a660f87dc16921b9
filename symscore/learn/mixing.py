"""What dependent draws are worth to a fit, and whether the chains they come from agree."""

import warnings
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray, check_shape, frozen
from symscore.errors import ChainsDisagree, FewEffectiveDraws, caller_level

# Of independent rows; in two columns a fit to so few is about .1 from the truth in total variation.
ROWS_PER_COLUMN = 100
# Two equal modes, visited with a share of .36 by half of the chains and of .64 by the others, give
# 1.035. Of four sound chains that are just long enough in two columns, one in thirty exceeds 1.03.
LARGEST_RHAT = 1.03
LEAST_KEPT = 4000  # draws, a fit of which takes seconds


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mixing:
    """Bulk effective sample sizes and R-hat of the columns of some draws, both by ArviZ.

    Parameters
    ----------
    names : tuple of str
        Of the columns.
    n_draws : int
        Draws of all chains together.
    effective : (d,) array_like
        Independent draws that would know the centre of a column as well; NaN where a chain has
        fewer than four draws.
    rhat : (d,) array_like
        Rank-normalised; NaN for a single chain, a constant column or fewer than four draws.
    """

    names: tuple[str, ...]
    n_draws: int
    effective: FloatArray
    rhat: FloatArray

    def __post_init__(self) -> None:
        for name in ("effective", "rhat"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
            check_shape(name, getattr(self, name), len(self.names))

    @property
    def smallest(self) -> float:
        """Smallest effective sample size: about the independent rows that a fit sees."""
        return float(self.effective.min())

    @property
    def largest_rhat(self) -> float:
        """Largest R-hat of a column; NaN if there is none."""
        return float(np.fmax.reduce(self.rhat))

    @property
    def thinning(self) -> int:
        """Largest step that leaves four draws for each independent one, and 4000 in all.

        Of draws with the autocorrelation exp(-2 k / tau), as of an AR(1) chain worth n / tau of its
        n draws, every tau / 4-th ones are worth 3 % less than all. But draws that move quickly
        within modes and seldom between them are worth little for the masses and much for the
        shapes: thinned from 4000 to a hundred, their fit was three times as far from the truth.
        """
        # Written so that NaN keeps all.
        if not self.smallest > 0:
            return 1
        return max(min(int(self.n_draws / (4 * self.smallest)), self.n_draws // LEAST_KEPT), 1)

    def warn(self) -> None:
        """Warn of draws worth fewer than 100 independent ones a column, and of R-hat above 1.03.

        A fit follows every wiggle that its rows suggest; rows that follow each other suggest the
        path of the chain, and only the independent ones among them say where the density is.

        Warns
        -----
        FewEffectiveDraws
            If the smallest effective sample size is too small, or unknown.
        ChainsDisagree
            If the largest R-hat is too large.
        """
        needed = ROWS_PER_COLUMN * len(self.names)
        # Written so that NaN warns too.
        if not self.smallest >= needed:
            known = np.isfinite(self.smallest)
            worth = f"{self.smallest:.0f}" if known else "an unknown number"
            worst = self.names[int(np.argmin(self.effective))]
            warnings.warn(
                f"Expected draws worth at least {needed} independent ones, {ROWS_PER_COLUMN} a "
                f"column; those of {worst!r} are worth {worth} (bulk ESS of {self.n_draws} "
                "draws), and the fit is as uncertain as one to so few rows. Run longer chains.",
                FewEffectiveDraws,
                stacklevel=caller_level(),
            )
        if self.largest_rhat > LARGEST_RHAT:
            worst = self.names[int(np.nanargmax(self.rhat))]
            warnings.warn(
                f"Expected chains that agree, with R-hat up to {LARGEST_RHAT}; got "
                f"{self.largest_rhat:.2f} for {worst!r}. The fit gives each mode what mass the "
                "chains happened to leave there. Run longer chains, or a sampler that moves "
                "between modes.",
                ChainsDisagree,
                stacklevel=caller_level(),
            )
