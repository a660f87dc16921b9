"""Fields of rational functions with exponentials in them, and their derivations."""

from collections.abc import Iterable, Mapping
from typing import final

import sympy
from flint import fmpq, fmpq_mpoly
from sympy import Expr, Symbol

from symscore.errors import BadData, BadOption
from symscore.exact.numbers import ExactLike, as_exact
from symscore.exact.proofs.atoms import dependencies
from symscore.exact.proofs.normal_form import combined
from symscore.exact.proofs.plain import postorder
from symscore.exact.proofs.quotients import Quotient
from symscore.exact.proofs.radicals import Tower
from symscore.exact.proofs.work import Work


@final
class DifferentialField:
    r"""Rational functions of symbols and of exponentials, with derivatives by the symbols.

    .. math:: K = \mathbb{Q}(y_1, \dots, y_n, E_1, \dots, E_k), \qquad
        \frac{\partial E_i}{\partial y_j} = \frac{\partial a_i}{\partial y_j} E_i,
        \qquad E_i = e^{a_i}, \quad a_i \in \mathbb{Q}(y)

    Elements are equal if and only if the functions that they stand for are. The arguments
    :math:`a_i` have to be independent over the rationals modulo constants, which is checked; then
    the exponentials are algebraically independent over the rational functions (Kolchin and
    Ostrowski: a relation between them would make a product of their integer powers, and with it
    a combination of the arguments, constant). So ``==`` between elements is a proof either way,
    for any number of derivatives, and it takes milliseconds where expressions would swell.

    Parameters
    ----------
    symbols : iterable of sympy.Symbol
        y_1, ..., y_n; a constant is a symbol by which nobody derives.
    exponentials : mapping from sympy.Symbol to sympy.Expr, optional
        From the symbol that stands for E_i to its argument a_i.

    Raises
    ------
    BadOption
        If a symbol is given twice, or arguments are dependent.

    Examples
    --------
    The derivative of a posterior mean is the posterior variance divided by that of the noise:

    >>> from sympy import symbols
    >>> y, v, m, n, w, z, one, two = symbols("y v m n w z one two")
    >>> arguments = {one: -((y - m) ** 2) / (2 * v), two: -((y - n) ** 2) / (2 * v)}
    >>> field = DifferentialField([y, v, m, n, w, z], arguments)
    >>> total = w * one + z * two
    >>> mean = (w * one * m + z * two * n) / total
    >>> square = (w * one * m**2 + z * two * n**2) / total
    >>> field.diff(mean, y) == field.element((square - mean**2) / v)
    True
    >>> field.diff(mean, y) == field.element((square - mean**2) / (2 * v))
    False
    """

    def __init__(
        self, symbols: Iterable[Symbol], exponentials: Mapping[Symbol, ExactLike] | None = None
    ) -> None:
        arguments = dict(exponentials or {})
        variables = tuple(symbols)
        names = (*variables, *arguments)
        if len(set(names)) < len(names) or not all(isinstance(s, Symbol) for s in names):
            raise BadOption(f"Expected different symbols; got {names}.")
        self._tower = Tower()
        self._symbols = {s: self._tower.add(positive=False) for s in variables}
        self._arguments = {s: self.element(a) for s, a in arguments.items()}
        self._check_independent()
        self._generators = dict(self._symbols)
        for symbol in arguments:
            self._generators[symbol] = self._tower.add(positive=False)

    def element(self, value: ExactLike | Quotient) -> Quotient:
        """Return the element that a rational expression in the symbols stands for.

        Parameters
        ----------
        value : int, Fraction, str or sympy.Expr
            Sums, products, quotients and integer powers of rationals and of the field's symbols.
            An element is returned as it is.

        Raises
        ------
        BadData
            On other symbols, or a denominator that is zero.
        NotCertified
            On functions and roots.
        """
        self._tower.ring.work = Work()
        if isinstance(value, Quotient):
            return value
        known = getattr(self, "_generators", self._symbols)
        values: dict[Expr, Quotient] = {}
        for node in postorder([as_exact(value, "value")]):
            if isinstance(node, Symbol):
                if node not in known:
                    raise BadData(f"Expected symbols of the field, {tuple(known)}; got {node}.")
                values[node] = known[node]
            elif node.is_Rational:
                values[node] = self._tower.ring.number(fmpq(int(node.p), int(node.q)))
            else:
                values[node] = combined(node, [values[part] for part in node.args])
        return values[node]

    def diff(self, value: ExactLike | Quotient, symbol: Symbol, times: int = 1) -> Quotient:
        r"""Return a partial derivative of an element.

        .. math:: \partial \frac{N}{\prod_i f_i^{e_i}} = \frac{1}{\prod_i f_i^{e_i}}
            \Big(\partial N - N \sum_i e_i \frac{\partial f_i}{f_i}\Big), \qquad
            \partial N = \sum_g \frac{\partial N}{\partial g} \, \partial g

        Parameters
        ----------
        value : expression or element
        symbol : sympy.Symbol
            One of the symbols, not of the exponentials.
        times : int
            How often to derive.

        Raises
        ------
        BadOption
            If `symbol` is none of the symbols to derive by.
        """
        if symbol not in self._symbols:
            raise BadOption(f"Expected one of {tuple(self._symbols)}; got {symbol}.")
        result = self.element(value)
        for _ in range(times):
            result = self._derivative(result, list(self._symbols).index(symbol))
        return result

    def expression(self, element: Quotient) -> Expr:
        """Return an element as a SymPy expression in the field's symbols."""
        ring = self._tower.ring
        factors = (self._expression(ring.factor(i)) ** power for i, power in element.powers.items())
        return self._expression(element.lifted) / sympy.Mul(*factors)

    def _expression(self, polynomial: fmpq_mpoly) -> Expr:
        return sympy.Add(
            *(
                sympy.Rational(int(c.p), int(c.q))
                * sympy.Mul(*(s ** int(n) for s, n in zip(self._generators, powers, strict=True)))
                for powers, c in polynomial.to_dict().items()
            )
        )

    def _derivative(self, element: Quotient, variable: int) -> Quotient:
        ring = self._tower.ring
        result = self._of_polynomial(element.lifted, variable)
        whole = Quotient(ring, element.lifted)
        for i, power in element.powers.items():
            factor = Quotient(ring, ring.factor(i))
            slope = self._of_polynomial(ring.factor(i), variable)
            result -= ring.number(power) * whole * (slope / factor)
        return result * Quotient(ring, ring.number(1).numerator, element.powers)

    def _of_polynomial(self, polynomial: fmpq_mpoly, variable: int) -> Quotient:
        ring = self._tower.ring
        total = Quotient(ring, polynomial.derivative(variable))
        first = len(self._symbols)
        for g, argument in enumerate(self._arguments.values(), start=first):
            if g < len(ring) and polynomial.degrees()[g] > 0:
                slope = self._derivative(argument, variable) * ring.generator(g)
                total += Quotient(ring, polynomial.derivative(g)) * slope
        return total

    def _check_independent(self) -> None:
        ring = self._tower.ring
        one = ring.number(1)
        arguments = [one, *self._arguments.values()]
        powers = ring.common(argument.powers for argument in arguments)
        vectors = [ring.over(argument, powers).to_dict() for argument in arguments]
        dependent = [list(self._arguments)[i - 1] for i in dependencies(vectors)]
        if dependent:
            raise BadOption(
                "Expected exponents independent over the rationals, modulo constants; those of "
                f"{dependent} depend on the ones before: write them as products of powers."
            )
