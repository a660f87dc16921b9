"""The soft twin of a ladder with hard cells: same rows and components, and a density."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from symscore.errors import BadOption
from symscore.learn.frame import Whitening
from symscore.learn.ladder import ScoreLadder
from symscore.learn.select import Progress, Sample
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule


@final
@dataclass(frozen=True)
class TwinOptions:
    """How a soft twin is fitted.

    Attributes
    ----------
    degree : int
        Largest total degree of the damped polynomials.
    ridge : float
        Pull of their coefficients to zero, relative to the Gram diagonal; infinite for the crude
        mixture alone.
    rho : float
        Damping radius, in standard deviations of a cell.
    pairs : int
        Antithetic pairs of noise a row and level.
    """

    degree: int = 1
    ridge: float = 1e-2
    rho: float = 3.0
    pairs: int = 2

    def __post_init__(self) -> None:
        if self.degree < 0 or self.pairs < 1 or not (self.ridge >= 0 and self.rho > 0):
            raise BadOption(
                "Expected degree >= 0, ridge >= 0, rho > 0 and pairs >= 1; got "
                f"{self.degree}, {self.ridge}, {self.rho} and {self.pairs}."
            )


def soft_twin(
    sample: Sample,
    crude: GaussianMixture,
    schedule: Schedule,
    frame: Whitening,
    names: Sequence[str],
    how: TwinOptions,
    *,
    progress: Progress,
) -> ScoreLadder:
    """Fit damped polynomials with Gaussian gates around the components of `crude`, level by level.

    Parameters
    ----------
    sample : Sample
        Rows in the coordinates of `frame`.
    crude : GaussianMixture
        Of the clean rows, in the same coordinates.
    schedule : Schedule
        The levels of the flow.
    frame : Whitening
    names : sequence of str
        Of the d columns.
    how : TwinOptions
    progress : callable
        Called with (stage, done, total).
    """
    fields = []
    kappas = schedule.field_kappas.tolist()
    for level, kappa in enumerate(kappas):
        sums = sample.all_statistics(
            crude, level, kappa, degree=how.degree, rho=how.rho, pairs=how.pairs
        )
        fields.append(sums.field(how.degree, how.ridge))
        progress("fitting soft cells", level + 1, len(kappas))
    return ScoreLadder(frame, schedule, tuple(fields), tuple(names))
