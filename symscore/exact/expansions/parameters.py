"""Parameters as elements of one polynomial ring, where division is decided by algebra."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd, lcm
from typing import Any, final

import sympy
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from sympy import Expr

from symscore.errors import BadData
from symscore.exact.arithmetic.moments import Exponent, gaussian_moments
from symscore.exact.mixture import ExactMixture


@final
@dataclass(frozen=True, slots=True)
class ParameterRing:
    r"""Polynomials with rational coefficients in whatever a set of expressions is built from.

    Symbols are generators, and so is every other thing that sums, products and natural powers do
    not explain: ``1/v``, ``sqrt(2)``, ``exp(-t)``. Generators count as independent. What is
    computed stays true when they are not, because an identity of polynomials, or of quotients
    whose denominators do not vanish, holds for all their values.

    Parameters
    ----------
    generators : tuple of sympy.Expr
    context : flint.fmpq_mpoly_ctx
        The ring, its variables in the same order.

    Examples
    --------
    >>> v = sympy.Symbol("v")
    >>> ring = ParameterRing.of([v, 1 + v])
    >>> square = ring.element(v + 1) * ring.element(v + 1)
    >>> ring.quotient(square, ring.element(v * v - 1))
    (v + 1)/(v - 1)
    """

    generators: tuple[Expr, ...]
    context: Any

    @classmethod
    def of(cls, expressions: Iterable[Expr]) -> "ParameterRing":
        """Return the ring that the expressions belong to."""
        varying = [entry for entry in expressions if not entry.is_Rational]
        generators: tuple[Expr, ...] = ()
        if varying:
            generators = tuple(sympy.parallel_poly_from_expr(varying)[1].gens)
        names = tuple(f"g{i}" for i in range(len(generators)))
        return cls(generators, fmpq_mpoly_ctx.get(names, Ordering.lex))

    def element(self, expression: Expr) -> Any:
        """Return an expression as a polynomial in the generators."""
        if expression.is_Rational:
            return self.context.constant(fmpq(int(expression.p), int(expression.q)))
        refusal = BadData(f"Expected a polynomial in {self.generators}; got {expression}.")
        try:
            terms = sympy.Poly(expression, *self.generators).terms()
        except sympy.PolynomialError:
            raise refusal from None
        if not all(value.is_Rational for _, value in terms):
            raise refusal
        return self.context.from_dict(
            {powers: fmpq(int(value.p), int(value.q)) for powers, value in terms}
        )

    def expression(self, element: Any) -> Expr:
        """Return a polynomial in the generators as an expanded expression."""
        return sympy.Add(
            *(
                _term(value, self.generators, powers)
                for powers, value in (self.context.constant(0) + element).to_dict().items()
            )
        )

    def quotient(self, numerator: Any, denominator: Any) -> Expr:
        """Return ``numerator / denominator`` without common factors, both expanded."""
        common = numerator.gcd(denominator)
        over, under = numerator // common, denominator // common
        scale = _content(under)
        return self.expression(over / scale) / self.expression(under / scale)


def moment_table(
    mixture: ExactMixture, ring: ParameterRing, degree: int, variance: Any = 0
) -> dict[Exponent, Any]:
    r"""Return ``E_M[H_k(x; V)]`` for all ``|k| <= degree``; with ``V = 0``, the moments.

    .. math:: E_{N(m, C)}[H_{k + e_j}] = m_j E[H_k] + \sum_l (C - V I)_{jl} k_l E[H_{k - e_l}]

    because the generating function ``E exp(s . x - V |s|^2/2) = exp(s . m + s^T (C - V I) s/2)``
    is that of the moments of a Gaussian with covariance ``C - V I``, which need not be positive.
    """
    total: dict[Exponent, Any] = {}
    for weight, mean, covariance in zip(
        mixture.weights, mixture.means, mixture.covariances, strict=True
    ):
        centre: Any = tuple(map(ring.element, mean))
        shifted: Any = tuple(
            tuple(ring.element(entry) - variance * (i == j) for j, entry in enumerate(row))
            for i, row in enumerate(covariance)
        )
        share = ring.element(weight)
        for k, value in gaussian_moments(centre, shifted, degree).items():
            total[k] = total.get(k, 0) + share * value
    return total


def parameters(mixture: ExactMixture) -> tuple[Expr, ...]:
    """Return every weight, mean and covariance entry."""
    means = (entry for mean in mixture.means for entry in mean)
    covariances = (entry for matrix in mixture.covariances for row in matrix for entry in row)
    return (*mixture.weights, *means, *covariances)


def _term(value: fmpq, generators: tuple[Expr, ...], powers: tuple[int, ...]) -> Expr:
    factors = (g**n for g, n in zip(generators, powers, strict=True) if n)
    return sympy.Mul(sympy.Rational(int(value.p), int(value.q)), *factors)


def _content(polynomial: Any) -> fmpq:
    """Return what divides all coefficients, with the sign of the leading one."""
    coefficients: Mapping[Any, fmpq] = polynomial.to_dict()
    size = fmpq(
        gcd(*(int(value.p) for value in coefficients.values())),
        lcm(*(int(value.q) for value in coefficients.values())),
    )
    return size if polynomial.leading_coefficient() > 0 else -size
