r"""The normal equations of a score's projections, by Stein's identity.

.. math:: E_M[s_j q] = -E_M[\partial_j q]

turns every inner product with the score into a moment, so the equations hold numbers of whatever
ring the moments are from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import Any, final

from flint import fmpq_mat

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact.arithmetic.moments import Exponent, added, exponents, lowered
from symscore.exact.expansions.elimination import eliminated, solution

# Of rational equations: about 30 seconds. Bits count because elimination multiplies them.
MOST_UNKNOWNS = 1000
MOST_WORK = 5 * 10**9
# Of equations in symbols: products of terms, and terms of a minor. Common factors of longer
# polynomials in many symbols may take minutes to find.
MOST_TERM_WORK = 10**7
MOST_TERMS = 3000


@final
@dataclass(frozen=True, slots=True)
class NormalEquations:
    """A Gram matrix over monomials, and right-hand sides.

    Parameters
    ----------
    basis : (n,) tuple of exponents
    gram : (n, n) nested lists
    rights : (n, m) nested lists
    """

    basis: tuple[Exponent, ...]
    gram: list[list[Any]]
    rights: list[list[Any]]

    def solved(self) -> list[list[Any]]:
        """Return the (n, m) solution of rational equations, in rationals.

        Raises
        ------
        ResourceLimit
            If it would take more than about half a minute.
        """
        bits = max(entry.height_bits() for row in self.gram for entry in row)
        if len(self.basis) ** 3 * bits > MOST_WORK:
            raise ResourceLimit(
                f"Expected {len(self.basis)} unknowns cubed times {bits} bits a moment to be at "
                f"most {MOST_WORK}: lower the degree, or take parameters of fewer digits."
            )
        return fmpq_mat(self.gram).solve(fmpq_mat(self.rights)).tolist()

    def solved_in_ring(self) -> tuple[list[list[Any]], Any]:
        """Return (n, m) numerators and their common denominator, in the ring of the entries.

        Raises
        ------
        BadData
            If the Gram matrix is singular.
        ResourceLimit
            If the polynomials grow beyond a few seconds of work.
        """
        spent = 0

        def watch(rows: list[list[Any]]) -> None:
            nonlocal spent
            pivot = rows[0][0]
            if pivot == 0:
                raise BadData("Expected a mixture with positive definite covariances; got none.")
            # Products of the pivot with every entry below it, and as many again.
            spent += 2 * len(pivot) * sum(len(entry) for row in rows[1:] for entry in row)
            if spent > MOST_TERM_WORK or len(pivot) > MOST_TERMS:
                raise ResourceLimit(
                    f"Expected shorter polynomials; a minor has {len(pivot)} terms with "
                    f"{len(rows) - 1} rows to go: lower the degree, or put numbers for some of "
                    "the symbols."
                )

        n_rights = len(self.rights[0])
        return solution(eliminated(self.gram, self.rights, watch), n_rights)


def of_fields(table: Mapping[Exponent, Any], dim: int, degree: int) -> NormalEquations:
    r"""Return the equations of the best field of polynomials, one right-hand side a coordinate.

    .. math:: \sum_b E[x^{a+b}] \, c_{b,j} = -a_j E[x^{a - e_j}], \qquad |a|, |b| \le D

    Parameters
    ----------
    table : mapping
        Moments up to degree 2 D.
    """
    basis = exponents(dim, degree)
    zero = 0 * table[basis[0]]
    gram = [[table[added(a, b)] for b in basis] for a in basis]
    rights = [
        [-power * table[lowered(a, j)] if power else zero for j, power in enumerate(a)]
        for a in basis
    ]
    return NormalEquations(basis, gram, rights)


def of_gradients(table: Mapping[Exponent, Any], dim: int, degree: int) -> NormalEquations:
    r"""Return the equations of the best gradient of a polynomial of degree D + 1.

    .. math:: \sum_b E[\nabla x^a \cdot \nabla x^b] \, c_b = E[s \cdot \nabla x^a]
        = -E[\Delta x^a], \qquad 1 \le |a|, |b| \le D + 1
    """
    basis = exponents(dim, degree + 1)[1:]
    zero = 0 * table[(0,) * dim]
    gram = [
        [
            sum(
                (
                    m * n * table[lowered(lowered(added(a, b), j), j)]
                    for j, (m, n) in enumerate(zip(a, b, strict=True))
                    if m and n
                ),
                zero,
            )
            for b in basis
        ]
        for a in basis
    ]
    rights = [
        [
            sum(
                (-n * (n - 1) * table[lowered(lowered(a, j), j)] for j, n in enumerate(a) if n > 1),
                zero,
            )
        ]
        for a in basis
    ]
    return NormalEquations(basis, gram, rights)


def check_degree(dim: int, degree: int) -> None:
    """Raise unless `degree` is a degree that equations can be set up for.

    Raises
    ------
    BadOption
        If it is no integer of at least 0.
    ResourceLimit
        If there are more than 1000 monomials.
    """
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise BadOption(f"Expected a degree that is an integer of at least 0; got {degree!r}.")
    if comb(dim + degree, dim) > MOST_UNKNOWNS:
        raise ResourceLimit(
            f"Expected at most {MOST_UNKNOWNS} monomials; degree {degree} in {dim} variables has "
            f"{comb(dim + degree, dim)}: lower the degree."
        )
