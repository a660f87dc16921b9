"""The fifteen densities of Marron and Wand (1992), with their rational parameters.

J. S. Marron and M. P. Wand, Exact mean integrated squared error, Annals of Statistics 20 (1992),
712-736, Table 1: normal mixtures with 1 to 9 components.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction as Q

from symscore import GaussianMixture

Term = tuple[Q, Q, Q]  # weight, mean, standard deviation


def gaussian() -> list[Term]:
    """Return #1."""
    return [(Q(1), Q(0), Q(1))]


def skewed() -> list[Term]:
    """Return #2, skewed unimodal."""
    return [(Q(1, 5), Q(0), Q(1)), (Q(1, 5), Q(1, 2), Q(2, 3)), (Q(3, 5), Q(13, 12), Q(5, 9))]


def strongly_skewed() -> list[Term]:
    """Return #3, whose eight components shrink towards its steep side."""
    return [(Q(1, 8), 3 * (Q(2, 3) ** j - 1), Q(2, 3) ** j) for j in range(8)]


def kurtotic() -> list[Term]:
    """Return #4, kurtotic unimodal."""
    return [(Q(2, 3), Q(0), Q(1)), (Q(1, 3), Q(0), Q(1, 10))]


def outlier() -> list[Term]:
    """Return #5, a spike in a thin background."""
    return [(Q(1, 10), Q(0), Q(1)), (Q(9, 10), Q(0), Q(1, 10))]


def bimodal() -> list[Term]:
    """Return #6."""
    return [(Q(1, 2), Q(sign), Q(2, 3)) for sign in (-1, 1)]


def separated_bimodal() -> list[Term]:
    """Return #7."""
    return [(Q(1, 2), Q(3 * sign, 2), Q(1, 2)) for sign in (-1, 1)]


def skewed_bimodal() -> list[Term]:
    """Return #8."""
    return [(Q(3, 4), Q(0), Q(1)), (Q(1, 4), Q(3, 2), Q(1, 3))]


def trimodal() -> list[Term]:
    """Return #9."""
    sides = [(Q(9, 20), Q(6 * sign, 5), Q(3, 5)) for sign in (-1, 1)]
    return [*sides, (Q(1, 10), Q(0), Q(1, 4))]


def claw() -> list[Term]:
    """Return #10, five fingers on a normal density."""
    return [(Q(1, 2), Q(0), Q(1))] + [(Q(1, 10), Q(j, 2) - 1, Q(1, 10)) for j in range(5)]


def double_claw() -> list[Term]:
    """Return #11, seven fingers of mass 1/350 each on two modes."""
    fingers = [(Q(1, 350), Q(j - 3, 2), Q(1, 100)) for j in range(7)]
    return [(Q(49, 100), Q(sign), Q(2, 3)) for sign in (-1, 1)] + fingers


def asymmetric_claw() -> list[Term]:
    """Return #12."""
    fingers = [(Q(2) ** (1 - j) / 31, j + Q(1, 2), Q(2) ** -j / 10) for j in range(-2, 3)]
    return [(Q(1, 2), Q(0), Q(1)), *fingers]


def asymmetric_double_claw() -> list[Term]:
    """Return #13."""
    modes = [(Q(46, 100), Q(sign), Q(2, 3)) for sign in (-1, 1)]
    thin = [(Q(1, 300), -Q(j, 2), Q(1, 100)) for j in (1, 2, 3)]
    thick = [(Q(7, 300), Q(j, 2), Q(7, 100)) for j in (1, 2, 3)]
    return modes + thin + thick


def smooth_comb() -> list[Term]:
    """Return #14, six modes, each half as wide as the one before."""
    return [
        (Q(2 ** (5 - j), 63), (65 - 96 * Q(1, 2) ** j) / 21, Q(32, 63) / 2**j) for j in range(6)
    ]


def discrete_comb() -> list[Term]:
    """Return #15, three wide and three narrow modes."""
    wide = [(Q(2, 7), Q(12 * j - 15, 7), Q(2, 7)) for j in range(3)]
    return wide + [(Q(1, 21), Q(2 * j, 7), Q(1, 21)) for j in (8, 9, 10)]


TABLE = (
    gaussian,
    skewed,
    strongly_skewed,
    kurtotic,
    outlier,
    bimodal,
    separated_bimodal,
    skewed_bimodal,
    trimodal,
    claw,
    double_claw,
    asymmetric_claw,
    asymmetric_double_claw,
    smooth_comb,
    discrete_comb,
)


def as_mixture(terms: Iterable[Term]) -> GaussianMixture:
    """Return the mixture of exact terms, rounded to float64."""
    weights, means, sigmas = zip(*terms, strict=True)
    return GaussianMixture(
        [float(weight) for weight in weights],
        [[float(mean)] for mean in means],
        [[[float(sigma**2)]] for sigma in sigmas],
    )


def _factory(table: Callable[[], list[Term]]) -> Callable[[], GaussianMixture]:
    return lambda: as_mixture(table())


MARRON_WAND: dict[str, Callable[[], GaussianMixture]] = {
    f"mw{number:02d}-{table.__name__.replace('_', '-')}": _factory(table)
    for number, table in enumerate(TABLE, 1)
}
