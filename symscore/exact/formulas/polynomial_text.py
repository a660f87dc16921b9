"""Polynomials given as text, multiplied out exactly and never larger than declared."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import final

from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx
from sympy import Symbol

from symscore.errors import BadOption
from symscore.exact.arithmetic.balls import as_fmpq, as_fraction
from symscore.exact.formulas import syntax
from symscore.exact.formulas.expressions import symbols_of
from symscore.exact.formulas.syntax import Node
from symscore.exact.formulas.tokens import refuse

MAX_TERMS = 20_000
MAX_BITS = 14_000
# Products of two terms, each counted once for every 64 bits of their coefficients.
MAX_WORK = 1_000_000


def read_polynomial(
    text: str, names: Sequence[str | Symbol], max_degree: int = 64
) -> dict[tuple[int, ...], Fraction]:
    r"""Return the exact coefficients of a polynomial given as text.

    .. math:: p(x) = \sum_\alpha c_\alpha x^\alpha

    Parameters
    ----------
    text : str
        A formula as for :func:`read_expression`, of numbers, names, ``+ - *``, brackets, ``**``
        with whole exponents, and division by numbers.
    names : sequence of str or sympy.Symbol
        The names that may occur, in the order of the exponents.
    max_degree : int
        The highest total degree allowed, of intermediate results too.

    Returns
    -------
    dict from tuple of int to Fraction
        From exponents to coefficients other than zero.

    Raises
    ------
    BadExpression
        On any other text, or a polynomial too large: beyond `max_degree` or 20,000 terms. It takes
        less than half a second.
    BadOption
        On a name that is not an ASCII identifier, or a degree that is not positive.

    Examples
    --------
    >>> read_polynomial("(x + 0.5)**2 - x - y/3", ["x", "y"])
    {(2, 0): Fraction(1, 1), (0, 1): Fraction(-1, 3), (0, 0): Fraction(1, 4)}
    """
    if isinstance(max_degree, bool) or not isinstance(max_degree, int) or max_degree < 1:
        raise BadOption(f"Expected max_degree as a positive int; got {max_degree!a}.")
    symbols = symbols_of(names)
    tree = syntax.parse(text, list(symbols), ())
    # Names of our own: those of the caller are only compared.
    ring = fmpq_mpoly_ctx.get([f"x{i}" for i in range(len(symbols))], Ordering.degrevlex)
    expander = _Expander(ring, dict(zip(symbols, ring.gens(), strict=True)), max_degree)
    polynomial = expander.build(tree).terms
    return {
        tuple(int(power) for power in powers): as_fraction(coefficient)
        for powers, coefficient in polynomial.to_dict().items()
    }


@final
@dataclass(frozen=True, slots=True)
class _Sized:
    """A polynomial, and a bound on the bits of its coefficients."""

    terms: fmpq_mpoly
    bits: int

    @property
    def degree(self) -> int:
        return max(0, int(self.terms.total_degree()))


@final
@dataclass(slots=True)
class _Expander:
    """Multiplies out from the leaves, refusing each product before it gets too large."""

    ring: fmpq_mpoly_ctx
    generators: dict[str, fmpq_mpoly]
    max_degree: int
    work: int = field(default=0)

    def build(self, node: Node) -> _Sized:
        if isinstance(node, syntax.Call):
            refuse("a polynomial", node.function, node.column)
        match node:
            case syntax.Number(value):
                return self.constant(as_fmpq(value))
            case syntax.Name(name):
                return _Sized(self.generators[name], 2)
            case syntax.Sum(terms):
                return self.sum(node, [self.build(term) for term in terms])
            case syntax.Product(factors):
                product = self.build(factors[0])
                for factor in factors[1:]:
                    product = self.product(node, product, self.build(factor))
                return product
            case syntax.Power(base, exponent):
                return self.power(node, self.build(base), exponent)

    def constant(self, value: fmpq) -> _Sized:
        return _Sized(self.ring.constant(value), _bits(value))

    def sum(self, node: syntax.Sum, parts: list[_Sized]) -> _Sized:
        total = self.ring.constant(0)
        bits = 0
        for part in parts:
            bits += part.bits
            self.count(node, len(total) + len(part.terms), bits)
            total = total + part.terms
        # Terms with different exponents do not add up: the sum of all bits says too little.
        return self.checked(node, total, max(map(_bits, total.coeffs()), default=0))

    def product(self, node: Node, left: _Sized, right: _Sized) -> _Sized:
        degree = left.degree + right.degree
        if degree > self.max_degree:
            refuse(f"a degree of at most {self.max_degree}", f"{degree}", node.column)
        products = len(left.terms) * len(right.terms)
        bits = left.bits + right.bits
        self.count(node, products, bits)
        return self.checked(node, left.terms * right.terms, bits + products.bit_length())

    def power(self, node: syntax.Power, base: _Sized, exponent: Fraction) -> _Sized:
        if exponent.denominator != 1:
            refuse("a polynomial, with whole exponents", f"{exponent}", node.column)
        if exponent < 0:
            if base.degree > 0 or base.terms == 0:
                got = "zero" if base.terms == 0 else "a polynomial"
                refuse("division by a number other than zero", got, node.column)
            base = self.constant(1 / base.terms.leading_coefficient())
        power = self.constant(fmpq(1))
        for _ in range(abs(exponent.numerator)):
            power = self.product(node, power, base)
        return power

    def checked(self, node: Node, terms: fmpq_mpoly, bits: int) -> _Sized:
        if bits > MAX_BITS:
            bits = max(map(_bits, terms.coeffs()), default=0)
        if len(terms) > MAX_TERMS or bits > MAX_BITS:
            refuse(f"at most {MAX_TERMS} terms and numbers of {MAX_BITS} bits", "more", node.column)
        return _Sized(terms, bits)

    def count(self, node: Node, products: int, bits: int) -> None:
        self.work += products * (1 + bits // 64)
        if self.work > MAX_WORK:
            refuse("a polynomial with fewer or shorter terms", "more", node.column)


def _bits(value: fmpq) -> int:
    return int(value.p).bit_length() + int(value.q).bit_length()
