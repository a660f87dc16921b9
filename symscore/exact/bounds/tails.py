"""Certified bounds on how well polynomials approximate the denoiser of a bounded law."""

from fractions import Fraction

from symscore.errors import BadData, BadOption, NotCertified
from symscore.exact.bounds.tail_claims import (
    HERMITE_NOISE,
    HERMITE_STRIP,
    MOST_DEGREE,
    MOST_DIMENSIONS,
)
from symscore.exact.bounds.tail_inputs import Method, Norm, TailInputs, sharpest
from symscore.exact.certificate import Certificate
from symscore.exact.numbers import ExactLike, as_exact

_CLAIMS = {"strip": HERMITE_STRIP, "noise": HERMITE_NOISE}


def hermite_tail_bound(
    radius: ExactLike,
    variance: ExactLike,
    degree: int,
    dim: int = 1,
    *,
    method: Method = "strip",
    norm: Norm = "reference",
) -> Certificate:
    r"""Certify how well polynomials approximate the denoiser of any law in a ball.

    .. math:: \sup_{Q \subset B_R(c)} \min_{\deg g \le D} \|f - g\|, \qquad
        f(y) = E[\mu \mid \mu + \sigma \xi = y], \quad \mu \sim Q

    where the norm is that of :math:`L^2(N(c, \sigma^2 I))` ("reference") or of :math:`L^2(P)`, P
    the law of :math:`\mu + \sigma \xi` ("law"). The theorems and their proofs are in
    :mod:`symscore.exact.bounds.tail_theorems`. The score of P is :math:`(f - y) / \sigma^2`, so for
    D >= 1 its error is this one divided by sigma^2. Milliseconds up to degree 200.

    Parameters
    ----------
    radius : int, Fraction, str or SymPy rational
        R > 0.
    variance : int, Fraction, str or SymPy rational
        sigma^2 > 0.
    degree : int
        D, from 0 to 3000, the highest degree kept.
    dim : int
        n; the dimension of the affine span of Q will do, as f only changes along it.
    method : {"strip", "noise"}
        Theorem A, sharp in one dimension, or B, the same in every dimension.
    norm : {"reference", "law"}

    Returns
    -------
    Certificate
        One-sided: of the number above only the upper end is claimed, the theorem's bound rounded
        up to seven digits.

    Raises
    ------
    BadOption
        On a radius, variance, degree, dimension or name out of its range.
    BadData
        If the radius or the variance is not rational.

    Examples
    --------
    >>> bound = hermite_tail_bound(1, 1, 20)
    >>> float(bound.upper) < 0.03
    True
    """
    claim = _CLAIMS.get(method)
    if claim is None or norm not in ("reference", "law"):
        raise BadOption(
            "Expected method 'strip' or 'noise' and norm 'reference' or 'law'; "
            f"got {method!r} and {norm!r}."
        )
    inputs = TailInputs(
        _positive(radius, "radius"),
        _positive(variance, "variance"),
        _counted(degree, "degree", 0, MOST_DEGREE),
        _counted(dim, "dim", 1, MOST_DIMENSIONS),
        Fraction(0),
        Fraction(1),
    )
    return claim.certify(sharpest(inputs, method, norm), Fraction(1))


def certified_degree(
    radius: ExactLike,
    variance: ExactLike,
    relative_error: ExactLike,
    dim: int = 1,
    *,
    method: Method = "strip",
    norm: Norm = "law",
) -> int:
    r"""Return the smallest degree for which :func:`hermite_tail_bound` is small enough.

    .. math:: \min \{ D : \text{bound}(D) \le \epsilon R \}

    Every polynomial degree from it on is proved to reach the error, for every law in the ball;
    below it nothing is said. A second for R / sigma = 1, ten for 3.

    Parameters
    ----------
    radius, variance, dim, method, norm
        As in :func:`hermite_tail_bound`.
    relative_error : int, Fraction, str or SymPy rational
        epsilon > 0.

    Raises
    ------
    NotCertified
        If degree 3000 does not reach the error.

    Examples
    --------
    >>> certified_degree("1/2", 1, "1/10", norm="reference")
    4
    """
    target = _positive(relative_error, "relative_error") * _positive(radius, "radius")

    def reached(degree: int) -> bool:
        bound = hermite_tail_bound(radius, variance, degree, dim, method=method, norm=norm)
        return bound.upper <= target

    high = 1
    while not reached(high):
        if high == MOST_DEGREE:
            raise NotCertified(
                f"Expected a degree of at most {MOST_DEGREE} to reach {float(target):.3g}; none "
                "is proved to: allow a larger error, or use cells."
            )
        high = min(2 * high, MOST_DEGREE)
    low = -1 if high == 1 else high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _positive(value: ExactLike, name: str) -> Fraction:
    exact = as_exact(value, name)
    if not exact.is_Rational:
        raise BadData(f"Expected a rational {name}; got {exact}.")
    if exact <= 0:
        raise BadOption(f"Expected a positive {name}; got {exact}.")
    return Fraction(int(exact.p), int(exact.q))


def _counted(value: int, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadOption(f"Expected {name} to be an integer from {least} to {most}; got {value!r}.")
    return value
