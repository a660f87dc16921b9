"""Exact mixtures rounded to float64, and what rounding cost."""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np
from sympy import Expr

from symscore.arrays import FloatArray
from symscore.errors import BadData
from symscore.exact import ExactMixture
from symscore.mixture import GaussianMixture


@final
@dataclass(frozen=True, slots=True, eq=False)
class RoundedMixture:
    """A float64 mixture and how far it is from the exact one it was made of.

    Parameters
    ----------
    mixture : GaussianMixture
    rounding : Fraction
        The largest ``|exact - float|`` over all weights, means and covariances, itself exact.
    """

    mixture: GaussianMixture
    rounding: Fraction


def to_float_mixture(exact: ExactMixture) -> RoundedMixture:
    r"""Round a mixture with rational parameters to float64.

    .. math:: \mathrm{rounding} = \max_\theta |\theta - \mathrm{fl}(\theta)|
        \quad \text{over all entries } \theta \text{ of } w, m, C

    Parameters
    ----------
    exact : ExactMixture
        Every parameter a rational number in the range of float64.

    Returns
    -------
    RoundedMixture

    Raises
    ------
    BadData
        On a symbol, an irrational number, a number beyond float64, or where the rounded
        parameters are no mixture any more (a weight that underflows, a covariance that is
        positive definite by less than one rounding error).

    Examples
    --------
    >>> rounded = to_float_mixture(ExactMixture(["1/4", "3/4"], ["1/3", 2], [1, 1]))
    >>> rounded.mixture.weights
    array([0.25, 0.75])
    >>> rounded.rounding == Fraction(1, 3 * 2**54)
    True
    """
    parts = {name: _fractions(name, getattr(exact, name)) for name in _PARAMETERS}
    weights, means, covariances = (_floats(name, part) for name, part in parts.items())
    mixture = GaussianMixture(weights, means, covariances)
    # Against what the mixture stores, which may have been normalised on the way.
    lost = [_largest_difference(part, getattr(mixture, name)) for name, part in parts.items()]
    return RoundedMixture(mixture, max(lost))


_PARAMETERS = ("weights", "means", "covariances")


def _fractions(name: str, values: object) -> np.ndarray:
    """Return an object array of Fractions, in the shape of the nested tuples `values`."""

    def convert(value: Expr) -> Fraction:
        if not value.is_Rational:
            raise BadData(
                f"Expected rational {name}; got {value}: put rational numbers in its place first."
            )
        return Fraction(int(value.p), int(value.q))

    return np.frompyfunc(convert, 1, 1)(np.array(values, dtype=object))


def _floats(name: str, fractions: np.ndarray) -> FloatArray:
    try:
        return fractions.astype(np.float64)
    except OverflowError:
        raise BadData(
            f"Expected {name} in the range of float64; got one beyond it: rescale the mixture."
        ) from None


def _largest_difference(fractions: np.ndarray, floats: FloatArray) -> Fraction:
    pairs = zip(fractions.flat, floats.ravel().tolist(), strict=True)
    return max(abs(exact - Fraction(rounded)) for exact, rounded in pairs)
