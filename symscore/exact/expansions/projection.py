r"""The best polynomial approximation of a mixture's score in L2(M), exactly.

Polynomials of degree at most D are a finite-dimensional space, Stein's identity
(:mod:`symscore.exact.expansions.normal_equations`) gives every inner product of the score with it,
and so the nearest polynomial field is the solution of linear equations between moments: rational
numbers where the parameters are, quotients of polynomials where they are symbols.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import sympy
from flint import fmpq
from sympy import Expr

from symscore.errors import BadData
from symscore.exact.arithmetic.balls import as_fraction
from symscore.exact.arithmetic.moments import Exponent, moments
from symscore.exact.arithmetic.polynomial import PolynomialField, partial
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.normal_equations import (
    NormalEquations,
    check_degree,
    of_fields,
    of_gradients,
)
from symscore.exact.expansions.parameters import ParameterRing, moment_table, parameters
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import as_exact, as_exact_vector

Coefficients = Mapping[Exponent, Expr]


@final
@dataclass(frozen=True, slots=True)
class ScoreProjection:
    r"""The polynomial field that is nearest to a score in L2(M).

    Parameters
    ----------
    degree : int
        D, the highest total degree of its entries.
    coefficients : (d,) tuple of mappings
        For each coordinate, from exponent a to the coefficient of ``x^a``.
    captured_energy : sympy.Expr
        Its squared norm ``C_D = E_M |P_D s|^2``; the squared error is ``J - C_D`` with the Fisher
        information ``J = E_M |s|^2``.
    potential : mapping, optional
        Coefficients of a polynomial with this field as its gradient, where one was asked for.

    Examples
    --------
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> best = project_score(two, 3)
    >>> best.expressions(sympy.Symbol("x")), best.captured_energy
    ((-x**3/26 - 4*x/13,), 7/13)
    """

    degree: int
    coefficients: tuple[Coefficients, ...]
    captured_energy: Expr
    potential: Coefficients | None = None

    @property
    def field(self) -> PolynomialField:
        """The same polynomials in rational numbers.

        Raises
        ------
        BadData
            If a coefficient is not rational.
        """
        return tuple(
            {a: _fmpq(value) for a, value in coordinate.items()} for coordinate in self.coefficients
        )

    def expressions(self, x: Any) -> tuple[Expr, ...]:
        """Return the d polynomials at x, symbols or exact numbers."""
        point = as_exact_vector(x, "x")
        if len(point) != len(self.coefficients):
            raise BadData(
                f"Expected x with {len(self.coefficients)} coordinates; got {len(point)}."
            )
        return tuple(_polynomial_at(coordinate, point) for coordinate in self.coefficients)

    def subs(self, values: Mapping[Expr, Any]) -> "ScoreProjection":
        """Return the projection with exact numbers or expressions in place of symbols."""
        exact = {symbol: as_exact(value, str(symbol)) for symbol, value in values.items()}
        parts = tuple(_substituted(coordinate, exact) for coordinate in self.coefficients)
        return ScoreProjection(
            self.degree,
            parts,
            self.captured_energy.subs(exact),
            self.potential and _substituted(self.potential, exact),
        )


def project_score(mixture: ExactMixture, degree: int, *, gradient: bool = False) -> ScoreProjection:
    r"""Return the L2(M) projection of a mixture's score onto polynomials of degree at most D.

    .. math:: P_D s = \arg\min_{\deg q \le D} E_M |s - q|^2, \qquad
        \sum_b E_M[x^{a+b}] \, c_{b,j} = -a_j E_M[x^{a - e_j}]

    At degree 1 it is :math:`-\operatorname{Cov}(M)^{-1} (x - E_M x)`. It depends on the mixture
    only through its moments up to 2 D.

    Parameters
    ----------
    mixture : ExactMixture
        With rational parameters, or with symbols: then coefficients are quotients of polynomials
        in them, in lowest terms.
    degree : int
        D. There is room for 1000 monomials: degree 43 in two variables, 16 in three; it takes a
        second or less for a few hundred monomials with short parameters, up to half a minute
        beyond. With symbols, degree 9 with two of them and degree 3 with five take a second;
        what would take more than about ten is refused.
    gradient : bool
        Whether to look among gradients of polynomials of degree D + 1 only.

    Returns
    -------
    ScoreProjection

    Raises
    ------
    BadOption
        If the degree is negative.
    ResourceLimit
        If the equations are too large, or their solution in symbols is.

    Examples
    --------
    >>> m = sympy.Symbol("m")
    >>> project_score(ExactMixture(["1/2", "1/2"], [-m, m], [1, 1]), 1).captured_energy
    1/(m**2 + 1)
    """
    check_degree(mixture.dim, degree)
    setup = of_gradients if gradient else of_fields
    if all(entry.is_Rational for entry in parameters(mixture)):
        table: Mapping[Exponent, Any] = moments(RationalMixture.of(mixture), 2 * degree)
        return rational_projection(setup(table, mixture.dim, degree), degree, gradient)
    ring = ParameterRing.of(parameters(mixture))
    equations = setup(moment_table(mixture, ring, 2 * degree), mixture.dim, degree)
    return projection_in_ring(equations, ring, degree, gradient)


def projected_field(mixture: RationalMixture, degree: int) -> PolynomialField:
    """Return the field of :func:`project_score` for a mixture in flint's numbers.

    Examples
    --------
    >>> two = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]))
    >>> projected_field(two, 3)
    ({(0,): 0, (1,): -4/13, (2,): 0, (3,): -1/26},)
    """
    equations = _of_rational(mixture, degree)
    columns = zip(*equations.solved(), strict=True)
    return tuple(dict(zip(equations.basis, column, strict=True)) for column in columns)


def captured_energy(mixture: RationalMixture, degree: int) -> fmpq:
    r"""Return the squared L2(M) norm of the score's projection.

    .. math:: C_D = E_M |P_D s|^2 = E_M[s \cdot P_D s] = \sum_j B_j^T G^{-1} B_j, \qquad
        G_{ab} = E[x^{a+b}], \quad B_{a,j} = -a_j E[x^{a - e_j}]

    Raises
    ------
    BadOption, ResourceLimit
        As :func:`project_score` does.

    Examples
    --------
    >>> two = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]))
    >>> captured_energy(two, 5)
    416/761
    """
    equations = _of_rational(mixture, degree)
    return _product(equations.solved(), equations.rights)


def rational_projection(
    equations: NormalEquations, degree: int, gradient: bool = False
) -> ScoreProjection:
    """Return the projection that rational equations determine."""
    found = equations.solved()
    expressions = [[_rational(value) for value in row] for row in found]
    energy = _rational(_product(found, equations.rights))
    return _read(equations.basis, expressions, energy, degree, gradient)


def projection_in_ring(
    equations: NormalEquations, ring: ParameterRing, degree: int, gradient: bool = False
) -> ScoreProjection:
    """Return the projection that equations between polynomials determine."""
    numerators, determinant = equations.solved_in_ring()
    expressions = [[ring.quotient(value, determinant) for value in row] for row in numerators]
    energy = ring.quotient(_product(numerators, equations.rights), determinant)
    return _read(equations.basis, expressions, energy, degree, gradient)


def _of_rational(mixture: RationalMixture, degree: int) -> NormalEquations:
    check_degree(mixture.dim, degree)
    return of_fields(moments(mixture, 2 * degree), mixture.dim, degree)


def _read(
    basis: tuple[Exponent, ...],
    found: list[list[Expr]],
    energy: Expr,
    degree: int,
    gradient: bool,
) -> ScoreProjection:
    columns = [dict(zip(basis, column, strict=True)) for column in zip(*found, strict=True)]
    if not gradient:
        return ScoreProjection(degree, tuple(columns), energy)
    field = tuple(partial(columns[0], j) for j in range(len(basis[0])))
    return ScoreProjection(degree, field, energy, columns[0])


def _product(left: list[list[Any]], right: list[list[Any]]) -> Any:
    """Return the sum of the products of the entries of two matrices."""
    return sum(
        a * b for one, two in zip(left, right, strict=True) for a, b in zip(one, two, strict=True)
    )


def _polynomial_at(coefficients: Coefficients, point: tuple[Expr, ...]) -> Expr:
    return sympy.Add(
        *(
            value * sympy.Mul(*(entry**n for entry, n in zip(point, a, strict=True)))
            for a, value in coefficients.items()
        )
    )


def _substituted(coefficients: Coefficients, values: Mapping[Expr, Expr]) -> Coefficients:
    return {a: value.subs(values) for a, value in coefficients.items()}


def _rational(value: fmpq) -> sympy.Rational:
    exact = as_fraction(value)
    return sympy.Rational(exact.numerator, exact.denominator)


def _fmpq(value: Expr) -> fmpq:
    if not value.is_Rational:
        raise BadData(f"Expected rational coefficients; got {value}: substitute numbers first.")
    return fmpq(int(value.p), int(value.q))
