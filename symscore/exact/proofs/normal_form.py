"""Normal forms: expressions as quotients in independent exponentials, roots and logarithms."""

from fractions import Fraction
from math import lcm
from typing import final

import sympy
from flint import fmpq
from sympy import Expr, Rational

from symscore.errors import NotCertified
from symscore.exact.proofs.atoms import Exponent, dependencies
from symscore.exact.proofs.plain import postorder
from symscore.exact.proofs.quotients import Quotient, Ring
from symscore.exact.proofs.radicals import Radicals, Tower
from symscore.exact.proofs.work import Work


@final
class NormalForm:
    r"""Quotients of polynomials that plain expressions are equal to.

    Symbols, pi and i are generators. Roots and logarithms become generators over coprime factors
    (:class:`~symscore.exact.proofs.radicals.Radicals`). Of all exponentials whose arguments are
    known, arguments that are independent over the rationals are kept, scaled so that

    .. math:: e^{a} = \prod_f |f|^{q_f} \prod_j E_j^{n_j}, \qquad E_j = e^{b_j},
        \qquad a = \sum_f q_f \log |f| + \sum_j n_j b_j

    has integers n_j. Every step is an equation between real (or complex) numbers, so that what
    has the normal form zero is zero wherever it is defined.

    Parameters
    ----------
    roots : list of sympy.Expr
        As :func:`~symscore.exact.proofs.plain.plain` returns them.
    work : Work
        What all multiplications together may cost.
    """

    def __init__(self, roots: list[Expr], work: Work) -> None:
        self.tower = Tower(Ring(work))
        self._ring = self.tower.ring
        self._radicals = Radicals(self.tower)
        self._values: dict[Expr, Quotient] = {}
        self._basis: list[tuple[Quotient, Quotient, int | None]] = []
        self._errors: list[tuple[Quotient, Quotient]] = []
        self._nodes = list(postorder(roots))
        for leaf in sorted((node for node in self._nodes if not node.args), key=str):
            self._add_leaf(leaf)
        while len(self._values) < len(self._nodes):
            self._advance()

    def value(self, expr: Expr) -> Quotient:
        """Return the normal form of one of the roots."""
        return self._values[expr]

    def _add_leaf(self, leaf: Expr) -> None:
        if leaf.is_Rational:
            self._values[leaf] = self._ring.number(fmpq(int(leaf.p), int(leaf.q)))
        elif leaf == sympy.I:
            self._values[leaf] = self.tower.add(positive=False, imaginary=True)
            self._ring.relate(len(self._ring) - 1, 2, self._ring.number(-1).numerator)
        elif leaf != sympy.E:
            positive = leaf == sympy.pi or bool(leaf.is_nonnegative)
            self._values[leaf] = self.tower.add(positive=positive)

    def _advance(self) -> None:
        """Do the sums and products that can be done, then one stage of functions."""
        ready = []
        for node in self._nodes:
            if node in self._values or any(part not in self._values for part in node.args):
                continue
            if _is_function(node):
                ready.append(node)
            else:
                parts = [self._values[part] for part in node.args]
                self._values[node] = combined(node, parts)
        # Exponentials wait for roots and logarithms, so that all of one depth are taken together.
        others = [node for node in ready if not _is_exponential(node)]
        if others:
            self._take_radicals(others)
        elif ready:
            self._take_exponentials(ready)

    def _take_radicals(self, nodes: list[Expr]) -> None:
        arguments = {node: self._values[node.args[0]] for node in nodes}
        zeros = [node for node, value in arguments.items() if value.is_zero]
        for node in zeros:
            self._values[node] = self._at_zero(node)
        nodes = [node for node in nodes if node not in zeros]
        self._radicals.register(arguments[node] for node in nodes)
        for node in nodes:
            if isinstance(node, sympy.log | sympy.Pow):
                self._radicals.learn(arguments[node])
        factored = {node: self._radicals.factored(arguments[node])[1] for node in nodes}
        for node in nodes:
            if isinstance(node, sympy.Pow):
                self._radicals.want(factored[node], _fraction(node.exp))
        for node in nodes:
            if isinstance(node, sympy.log):
                self._values[node] = self._radicals.log(factored[node])
            elif isinstance(node, sympy.erf):
                self._values[node] = self._erf(arguments[node])
            else:
                exponent = _fraction(node.exp) if isinstance(node, sympy.Pow) else Fraction(1)
                self._values[node] = self._radicals.power(factored[node], exponent)

    def _at_zero(self, node: Expr) -> Quotient:
        if isinstance(node, sympy.log) or (isinstance(node, sympy.Pow) and node.exp < 0):
            raise NotCertified("Expected logarithms and inverses of other numbers than 0.")
        return self._ring.number(0)

    def _erf(self, argument: Quotient) -> Quotient:
        for known, value in self._errors:
            if known == argument:
                return value
        value = self.tower.add(positive=False)
        self._errors.append((argument, value))
        return value

    def _take_exponentials(self, nodes: list[Expr]) -> None:
        one = self._ring.number(1)
        arguments = [self._values[node.args[0]] if node.args else one for node in nodes]
        splits = [self._without_logarithms(argument) for argument in arguments]
        for powers, _ in splits:
            for i, power in powers.items():
                self._radicals.want({i: 1}, power)
        known = len(self._basis)
        rests = [argument for argument, _, _ in self._basis] + [rest for _, rest in splits]
        combinations = self._combinations(rests)
        values = self._exponentials(rests, combinations, known)
        for i, (node, (powers, _)) in enumerate(zip(nodes, splits, strict=True)):
            value = values[known + i]
            for atom, power in powers.items():
                value *= self._radicals.power({atom: 1}, power)
            self._values[node] = value

    def _exponentials(
        self, rests: list[Quotient], combinations: dict[int, dict[int, Fraction]], known: int
    ) -> list[Quotient]:
        """Return exp of each argument, new generators being added for the independent ones."""
        scales = dict.fromkeys(range(len(rests)), 1)
        for combination in combinations.values():
            for j, c in combination.items():
                scales[j] = lcm(scales[j], c.denominator) if j >= known else 1
        places = {j: j for j in range(known)}
        for j in range(known, len(rests)):
            if j not in combinations:
                places[j] = self._add_exponential(rests[j], scales[j])
        values = []
        for i, rest in enumerate(rests):
            combination = combinations.get(i, {i: Fraction(1)})
            powers = {places[j]: c * scales[j] for j, c in combination.items()}
            values.append(self._monomial(powers, rest))
        return values

    def _add_exponential(self, argument: Quotient, scale: int) -> int:
        reduced = argument * self._ring.number(fmpq(1, scale))
        is_real = self.tower.is_real(reduced)
        value = self.tower.add(positive=is_real, imaginary=not is_real)
        atom = self._radicals.adopt(value, reduced) if is_real else None
        self._basis.append((reduced, value, atom))
        return len(self._basis) - 1

    def _monomial(self, powers: dict[int, Fraction], argument: Quotient) -> Quotient:
        result = self._ring.number(1)
        for place, power in powers.items():
            _, value, atom = self._basis[place]
            if power.denominator == 1:
                result *= value ** int(power)
            elif atom is not None:
                result *= self._radicals.power({atom: 1}, power)
            else:
                # A root of a complex number has branches: take the exponential for itself.
                return self._basis[self._add_exponential(argument, 1)][1]
        return result

    def _without_logarithms(self, argument: Quotient) -> tuple[dict[int, Fraction], Quotient]:
        """Split an argument into rational multiples of logarithms of atoms, and the rest."""
        found: dict[int, Fraction] = {}
        rest = argument
        denominator = self._ring.expanded(argument.powers)
        for g, atom in self._radicals.logarithms.items():
            numerator = argument.lifted
            terms = {
                (*e[:g], 0, *e[g + 1 :]): c for e, c in numerator.to_dict().items() if e[g] == 1
            }
            if not terms or numerator.degrees()[g] > 1:
                continue
            coefficient = self._ring.polynomial(terms)
            ratio = coefficient.leading_coefficient() / denominator.leading_coefficient()
            if coefficient == ratio * denominator:
                found[atom] = Fraction(int(ratio.p), int(ratio.q))
                rest -= self._ring.number(ratio) * self._ring.generator(g)
        return found, rest

    def _combinations(self, arguments: list[Quotient]) -> dict[int, dict[int, Fraction]]:
        """Write dependent arguments by independent ones.

        Values at a few points suggest the coefficients, which a common denominator of all would
        cost much more to find; each combination is then checked, and dropped where it fails.
        """
        seeds = range(len(arguments) + 2)
        samples: list[dict[Exponent, fmpq]] = [
            {(s,): self._ring.sample(a, s) for s in seeds} for a in arguments
        ]
        return {
            i: combination
            for i, combination in dependencies(samples).items()
            if arguments[i] == self._combined(combination, arguments)
        }

    def _combined(self, combination: dict[int, Fraction], arguments: list[Quotient]) -> Quotient:
        total = self._ring.number(0)
        for j, c in combination.items():
            total += self._ring.number(fmpq(c.numerator, c.denominator)) * arguments[j]
        return total


def generators(roots: list[Expr]) -> tuple[Expr, ...]:
    """Return the symbols, constants and functions that plain expressions are made of."""
    nodes = postorder(roots)
    kept = [n for n in nodes if _is_function(n) or not (n.args or n.is_Rational)]
    return tuple(sorted(kept, key=str))


def combined(node: Expr, parts: list[Quotient]) -> Quotient:
    """Return the sum, product or integer power that a node stands for.

    Raises
    ------
    NotCertified
        If it is none of these.
    """
    if isinstance(node, sympy.Pow) and node.exp.is_Integer:
        return parts[0] ** int(node.exp)
    if not isinstance(node, sympy.Add | sympy.Mul):
        raise NotCertified(f"Expected sums, products and powers; got {str(node)[:80]}.")
    total = parts[0]
    for part in parts[1:]:
        total = total + part if isinstance(node, sympy.Add) else total * part
    return total


def _is_exponential(node: Expr) -> bool:
    return node == sympy.E or isinstance(node, sympy.exp)


def _is_function(node: Expr) -> bool:
    is_root = isinstance(node, sympy.Pow) and not node.exp.is_Integer
    return is_root or _is_exponential(node) or isinstance(node, sympy.log | sympy.Abs | sympy.erf)


def _fraction(value: Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))
