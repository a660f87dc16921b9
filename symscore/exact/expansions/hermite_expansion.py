"""Finite Hermite expansions, closed under what the Ornstein-Uhlenbeck process does to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import sympy
from sympy import Expr

from symscore.errors import BadData, BadOption
from symscore.exact.arithmetic.moments import Exponent, lowered
from symscore.exact.expansions.hermite import (
    factorials,
    hermite_e,
    hermite_product,
    hermite_to_monomials,
    monomials_to_hermite,
    read_index,
)
from symscore.exact.expansions.hermite_moments import hermite_moments
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import ExactLike, as_exact, as_exact_vector


@final
@dataclass(frozen=True, slots=True)
class HermiteExpansion:
    r"""A polynomial written in Hermite polynomials of variance V.

    .. math:: q(x) = \sum_k c_k H_k(x; V)

    Parameters
    ----------
    coefficients : mapping
        From index, a tuple of d integers, to an exact scalar; what is missing is zero.
    variance : exact scalar
        V, of any sign; 0 stands for monomials.

    Raises
    ------
    BadData
        On indices of unequal lengths, or none, or a float.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> cube = HermiteExpansion.of(x**3, x)
    >>> cube.coefficients
    {(3,): 1, (1,): 3}
    >>> cube.generator().expression(x)
    -3*x**3 + 6*x
    """

    coefficients: Mapping[Exponent, Expr]
    variance: Expr = sympy.S.One

    def __post_init__(self) -> None:
        read = {
            read_index(k): sympy.expand(as_exact(value, f"coefficients[{k}]"))
            for k, value in self.coefficients.items()
        }
        if len({len(k) for k in read}) != 1:
            raise BadData("Expected indices of one length, at least one of them.")
        kept = {k: value for k, value in read.items() if value != 0}
        zero = dict.fromkeys([(0,) * len(next(iter(read)))], sympy.Integer(0))
        object.__setattr__(self, "coefficients", kept or zero)
        object.__setattr__(self, "variance", as_exact(self.variance, "variance"))

    @classmethod
    def of(cls, polynomial: Expr, x: Any, variance: ExactLike = 1) -> "HermiteExpansion":
        """Return the expansion of a polynomial in the symbols x.

        Raises
        ------
        BadData
            If the expression is no polynomial in x.
        """
        symbols = as_exact_vector(x, "x")
        spread = as_exact(variance, "variance")
        try:
            terms = sympy.Poly(as_exact(polynomial, "polynomial"), *symbols).as_dict()
        except sympy.PolynomialError as error:
            raise BadData(f"Expected a polynomial in {symbols}; {error}.") from None
        monomials = terms or {(0,) * len(symbols): sympy.Integer(0)}
        return cls(monomials_to_hermite(monomials, spread), spread)

    @property
    def dim(self) -> int:
        """Number of variables d."""
        return len(next(iter(self.coefficients)))

    @property
    def degree(self) -> int:
        """Highest total degree; 0 for the zero polynomial."""
        return max(map(sum, self.coefficients))

    def expression(self, x: Any) -> Expr:
        """Return the polynomial at x, symbols or exact numbers, expanded."""
        point = as_exact_vector(x, "x")
        terms = (c * hermite_e(k, point, self.variance) for k, c in self.coefficients.items())
        return sympy.expand(sympy.Add(*terms))

    def monomials(self) -> dict[Exponent, Expr]:
        """Return the coefficients of the monomials."""
        found = hermite_to_monomials(self.coefficients, self.variance)
        return {a: sympy.expand(value) for a, value in found.items()}

    def __add__(self, other: "HermiteExpansion") -> "HermiteExpansion":
        self._check_same_variance(other)
        return self._collected([*self.coefficients.items(), *other.coefficients.items()])

    def __sub__(self, other: "HermiteExpansion") -> "HermiteExpansion":
        return self + other.scaled(-1)

    def __mul__(self, other: "HermiteExpansion") -> "HermiteExpansion":
        """Return the product, by the linearisation of :func:`hermite_product`."""
        self._check_same_variance(other)
        return self._collected(
            [
                (k, one * two * count * self.variance ** ((sum(a) + sum(b) - sum(k)) // 2))
                for a, one in self.coefficients.items()
                for b, two in other.coefficients.items()
                for k, count in hermite_product(a, b).items()
            ]
        )

    def scaled(self, factor: ExactLike) -> "HermiteExpansion":
        """Return the product with an exact scalar."""
        scalar = as_exact(factor, "factor")
        return self._mapped(lambda k, c: (k, scalar * c))

    def raised(self, j: int) -> "HermiteExpansion":
        r"""Apply ``x_j - V d_j``, which sends H_k to H_(k + e_j)."""
        return self._mapped(lambda k, c: (_added(k, self._axis(j)), c))

    def partial(self, j: int) -> "HermiteExpansion":
        r"""Apply ``d_j``, which sends H_k to ``k_j H_(k - e_j)``."""
        axis = self._axis(j)
        return self._collected(
            [((0,) * self.dim, sympy.Integer(0))]
            + [(lowered(k, axis), k[axis] * c) for k, c in self.coefficients.items() if k[axis]]
        )

    def times(self, j: int) -> "HermiteExpansion":
        r"""Multiply by x_j: ``x_j H_k = H_(k + e_j) + V k_j H_(k - e_j)``."""
        return self.raised(j) + self.partial(j).scaled(self.variance)

    def generator(self) -> "HermiteExpansion":
        r"""Apply ``V Laplacian - x . grad``, which sends H_k to ``-|k| H_k``.

        With V = 1 this generates the Ornstein-Uhlenbeck process ``dx = -x dt + sqrt(2) dW``.
        """
        return self._mapped(lambda k, c: (k, -sum(k) * c))

    def noised(self, alpha: ExactLike) -> "HermiteExpansion":
        r"""Return ``x -> E_z q(alpha x + sigma z)`` with z standard normal (Mehler).

        .. math:: E_z H_k(\alpha x + \sigma z; V)
            = \alpha^{|k|} H_k\Bigl(x; \frac{V - \sigma^2}{\alpha^2}\Bigr), \qquad
            \sigma^2 = 1 - \alpha^2,

        so V = 1 stays 1. Both sides have the generating function
        :math:`\exp(\alpha s \cdot x - (V - \sigma^2) |s|^2 / 2)`.

        Raises
        ------
        BadOption
            If alpha is provably not in (0, 1].
        """
        level = as_exact(alpha, "alpha")
        if level.is_Rational and not 0 < level <= 1:
            raise BadOption(f"Expected alpha in (0, 1]; got {level}.")
        spread = self.variance
        if spread != 1:
            spread = sympy.together((spread - 1 + level**2) / level**2)
        return HermiteExpansion(
            {k: level ** sum(k) * c for k, c in self.coefficients.items()}, spread
        )

    def expectation(self, mixture: ExactMixture) -> Expr:
        r"""Return ``E_M[q] = sum_k c_k E_M[H_k]``, by :func:`hermite_moments`."""
        if mixture.dim != self.dim:
            raise BadData(f"Expected a mixture in {self.dim} variables; got {mixture.dim}.")
        eta = hermite_moments(mixture, self.degree, self.variance)
        return sympy.expand(sympy.Add(*(c * eta[k] for k, c in self.coefficients.items())))

    def energy(self) -> Expr:
        r"""Return the squared norm in L2(N(0, V I)), ``sum_k c_k^2 V^|k| k!`` (Parseval)."""
        return sympy.expand(
            sympy.Add(
                *(
                    c * c * self.variance ** sum(k) * factorials(k)
                    for k, c in self.coefficients.items()
                )
            )
        )

    def _mapped(
        self, change: Callable[[Exponent, Expr], tuple[Exponent, Expr]]
    ) -> "HermiteExpansion":
        return self._collected([change(k, c) for k, c in self.coefficients.items()])

    def _collected(self, terms: list[tuple[Exponent, Expr]]) -> "HermiteExpansion":
        total: dict[Exponent, Expr] = {}
        for k, c in terms:
            total[k] = total.get(k, sympy.Integer(0)) + c
        return HermiteExpansion(total, self.variance)

    def _axis(self, j: int) -> int:
        if not 0 <= j < self.dim:
            raise BadOption(f"Expected a coordinate from 0 to {self.dim - 1}; got {j}.")
        return j

    def _check_same_variance(self, other: "HermiteExpansion") -> None:
        if other.variance != self.variance or other.dim != self.dim:
            raise BadData(
                f"Expected expansions in {self.dim} variables of variance {self.variance}; got "
                f"{other.dim} and {other.variance}."
            )


def _added(k: Exponent, j: int) -> Exponent:
    return (*k[:j], k[j] + 1, *k[j + 1 :])
