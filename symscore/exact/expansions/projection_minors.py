r"""Captured energies by a second formula, in integers alone.

:mod:`symscore.exact.expansions.projection` solves normal equations between monomials with flint.
Here the score is projected relative to the standard normal, in Hermite polynomials, by
determinants, in Python's integers: another target, another basis, another library, the same
rational number.
"""

from fractions import Fraction
from math import comb, lcm

from flint import fmpq

from symscore.errors import ResourceLimit
from symscore.exact.arithmetic.balls import as_fmpq, as_fraction
from symscore.exact.arithmetic.moments import Exponent, exponents
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.elimination import eliminated
from symscore.exact.expansions.hermite import hermite_product
from symscore.exact.expansions.normal_equations import check_degree

# Of integers: about half a minute.
MOST_INTEGER_WORK = 5 * 10**8


def captured_energies(mixture: RationalMixture, degree: int) -> tuple[Fraction, ...]:
    r"""Return the energies that projections of degree 0, 1, ..., D capture.

    .. math:: C_D = \begin{cases} R_D + 2d - E|x|^2, & D \ge 1, \\ 0, & D = 0, \end{cases} \qquad
        R_D = \sum_{n=1}^{N_D} \frac{\sum_j \beta_{nj}^2}{\Delta_{n-1} \Delta_n}

    with the leading minors Delta_n of the Gram matrix of the Hermite polynomials He_k in order of
    their degree, and beta_nj the n-th minor with its last column replaced by
    ``E[(s + x)_j He_k] = E He_(k + e_j)``.

    R_D is the energy of the projection of ``s + x``: the orthogonal polynomials
    ``psi_n = det(...)`` of Gram and Schmidt have squared norm ``Delta_(n-1) Delta_n`` and inner
    product beta_nj with the target. For D >= 1 the field x is in the space, so
    ``P(s + x) = P s + x`` and ``E[s . x] = -d`` (Stein) give ``R_D = C_D - 2d + E|x|^2``; and
    ``E s = 0``.

    Parameters
    ----------
    mixture : RationalMixture
    degree : int

    Returns
    -------
    tuple of D + 1 Fraction

    Raises
    ------
    BadOption
        If the degree is negative.
    ResourceLimit
        If it would take more than about half a minute.

    Examples
    --------
    >>> from symscore.exact import ExactMixture
    >>> captured_energies(RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])), 3)
    (Fraction(0, 1), Fraction(1, 2), Fraction(1, 2), Fraction(7, 13))
    """
    check_degree(mixture.dim, degree)
    dim, basis = mixture.dim, exponents(mixture.dim, degree)
    eta = _hermite_moments(mixture, max(2 * degree, 2))
    # He_k is scaled by step^|k|, which clears most denominators and changes no energy.
    step = _denominator(mixture)
    _check_work(eta, len(basis), 2 * degree * step.bit_length())
    sizes = [step ** sum(k) for k in basis]
    gram = [
        [size * sizes[n] * _inner(k, basis[n], eta) if n >= m else 0 for n in range(len(basis))]
        for m, (k, size) in enumerate(zip(basis, sizes, strict=True))
    ]
    rights = [
        [size * eta[_raised(k, j)] for j in range(dim)]
        for k, size in zip(basis, sizes, strict=True)
    ]
    scale = lcm(*(entry.denominator for row in gram + rights for entry in row))
    rows = eliminated(
        [[int(scale * entry) for entry in row] for row in gram],
        [[int(scale * entry) for entry in row] for row in rights],
    )
    total, previous, sums = Fraction(0), 1, []
    for row in rows:
        total += Fraction(sum(beta * beta for beta in row[-dim:]), scale * previous * row[0])
        previous = row[0]
        sums.append(total)
    square = sum(eta[_raised(_raised((0,) * dim, j), j)] + 1 for j in range(dim))
    return (
        Fraction(0),
        *(sums[comb(dim + n, dim) - 1] + 2 * dim - square for n in range(1, degree + 1)),
    )


def captured_energy_again(mixture: RationalMixture, degree: int) -> fmpq:
    """Return the captured energy C_D, by these determinants.

    Examples
    --------
    >>> from symscore.exact import ExactMixture
    >>> two = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]))
    >>> captured_energy_again(two, 5)
    416/761
    """
    return as_fmpq(captured_energies(mixture, degree)[degree])


def _check_work(eta: dict[Exponent, Fraction], unknowns: int, scaling: int) -> None:
    bits = scaling + max(
        max(abs(value.numerator), value.denominator).bit_length() for value in eta.values()
    )
    if unknowns**3 * bits > MOST_INTEGER_WORK:
        raise ResourceLimit(
            f"Expected {unknowns} unknowns cubed times {bits} bits a moment to be at most "
            f"{MOST_INTEGER_WORK}: lower the degree, or take parameters of fewer digits."
        )


def _inner(k: Exponent, other: Exponent, eta: dict[Exponent, Fraction]) -> Fraction:
    terms = (count * eta[index] for index, count in hermite_product(k, other).items())
    return sum(terms, Fraction(0))


def _denominator(mixture: RationalMixture) -> int:
    """Return a common denominator of all means and covariances."""
    entries = [entry for mean in mixture.means for entry in mean]
    entries += [entry for matrix in mixture.covariances for row in matrix for entry in row]
    return lcm(*(int(entry.q) for entry in entries))


def _hermite_moments(mixture: RationalMixture, degree: int) -> dict[Exponent, Fraction]:
    r"""Return ``E He_k`` by ``E He_(k+e_j) = m_j E He_k + sum_l (C - I)_jl k_l E He_(k-e_l)``."""
    indices = exponents(mixture.dim, degree)
    total = dict.fromkeys(indices, Fraction(0))
    for weight, mean, covariance in zip(
        mixture.weights, mixture.means, mixture.covariances, strict=True
    ):
        centre = [as_fraction(entry) for entry in mean]
        spread = [[as_fraction(entry) for entry in row] for row in covariance]
        eta = {indices[0]: Fraction(1)}
        for k in indices[1:]:
            j = max(i for i, n in enumerate(k) if n)
            base = _raised(k, j, -1)
            eta[k] = centre[j] * eta[base] + sum(
                (spread[j][i] - (i == j)) * n * eta[_raised(base, i, -1)]
                for i, n in enumerate(base)
                if n
            )
        share = as_fraction(weight)
        for k, value in eta.items():
            total[k] += share * value
    return total


def _raised(k: Exponent, j: int, by: int = 1) -> Exponent:
    return (*k[:j], k[j] + by, *k[j + 1 :])
