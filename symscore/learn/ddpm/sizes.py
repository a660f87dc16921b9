"""The sizes that the theorem on warm starts asks for, with its constants as arguments."""

import math
from dataclasses import dataclass
from typing import final

from symscore.errors import BadOption, ResourceLimit

LARGEST = 100_000_000  # rows above which a theory-sized instance is refused


@final
@dataclass(frozen=True)
class TheorySizes:
    """What the theorem asks for; lengths are in standard deviations of a component.

    Attributes
    ----------
    time : float
        Noise t of the one level.
    steps : int
        H', steps of size K / 2.
    rows : float
        n', how many rows; beyond any memory for most instances.
    separation : float
        Smallest distance of two means.
    warm_start : float
        Largest distance of a start from its mean.
    """

    time: float
    steps: int
    rows: float
    separation: float
    warm_start: float

    def check(self, dim: int) -> None:
        """Raise :class:`ResourceLimit` where the rows, of `dim` columns, are too many to hold."""
        if self.rows > LARGEST:
            raise ResourceLimit(
                f"Expected n' = sample_constant K^4 d^5 B^6 / epsilon^2 of at most {LARGEST:.0e} "
                f"rows; got {self.rows:.2g}, {8 * dim * self.rows / 2**30:.2g} GiB: ask for a "
                "larger epsilon or a smaller sample_constant, or use DDPMGradient.paper."
            )


def theory_sizes(
    *,
    epsilon: float,
    n_components: int,
    dim: int,
    bound: float,
    time_constant: float = 1.0,
    step_constant: float = 1.0,
    sample_constant: float = 1.0,
    separation_constant: float = 1.0,
    warm_constant: float = 1.0,
) -> TheorySizes:
    r"""Return the sizes of the theorem on warm starts of arXiv 2307.01178.

    As restated in arXiv 2502.03444 (Theorem 16):
    :math:`t = \Theta(\epsilon)`, :math:`H' = \Theta(\log(\epsilon^{-1} \log d))`,
    :math:`n' = \Theta(K^4 d^5 B^6 / \epsilon^2)`, separation :math:`C \sqrt{\log \min(K, d)}`, warm
    starts within :math:`C' \sqrt{\log \min(K, d)}`. The constants are universal and not given; the
    argument named after each is a factor, 1 by default. Logarithms are taken as at least 1.

    Parameters
    ----------
    epsilon : float
        Largest error of a mean, in sd of a component.
    n_components, dim : int
        K and d.
    bound : float
        B, the largest length of a mean, in sd of a component.
    time_constant, step_constant, sample_constant : float
        Of t, H' and n'.
    separation_constant, warm_constant : float
        C and C'.

    Examples
    --------
    >>> sizes = theory_sizes(epsilon=0.1, n_components=3, dim=2, bound=4.0)
    >>> sizes.steps, f"{sizes.rows:.1e}"
    (3, '1.1e+09')
    """
    if not (0 < epsilon < 1 and bound > 0 and n_components >= 2 and dim >= 1):
        raise BadOption(
            "Expected 0 < epsilon < 1, bound > 0, n_components >= 2 and dim >= 1; got "
            f"{epsilon}, {bound}, {n_components} and {dim}."
        )
    factors = (time_constant, step_constant, sample_constant, separation_constant, warm_constant)
    if not min(factors) > 0:
        raise BadOption(f"Expected positive constants; got {factors}.")
    spread = math.sqrt(max(math.log(min(n_components, dim)), 1.0))
    return TheorySizes(
        time=time_constant * epsilon,
        steps=math.ceil(step_constant * math.log(max(math.log(dim), 1.0) / epsilon)),
        rows=sample_constant * n_components**4 * float(dim) ** 5 * bound**6 / epsilon**2,
        separation=separation_constant * spread,
        warm_start=warm_constant * spread,
    )
