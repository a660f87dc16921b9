"""Roots, absolute values and logarithms of quotients, as generators over coprime factors."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, isqrt, lcm
from typing import Any

from flint import fmpq, fmpq_mpoly

from symscore.errors import BadData, NotCertified
from symscore.exact.proofs.atoms import Signs, coprime_base, is_positive_termwise, multiplicity
from symscore.exact.proofs.quotients import MOST_DEGREE_TO_DIVIDE, Quotient, Ring


@dataclass(slots=True)
class Tower:
    """A ring with what is known of its generators.

    Parameters
    ----------
    ring : Ring
    positive : list of bool
        Whether it is non-negative at every real point where it is defined.
    imaginary : set of int
        The generators that may be no real number.
    """

    ring: Ring = field(default_factory=Ring)
    positive: list[bool] = field(default_factory=list)
    imaginary: set[int] = field(default_factory=set)

    def add(self, *, positive: bool, imaginary: bool = False) -> Quotient:
        """Add a generator and return it."""
        index = self.ring.new_generator()
        self.positive.append(positive)
        if imaginary:
            self.imaginary.add(index)
        return self.ring.generator(index)

    def is_real(self, value: Quotient) -> bool:
        """Whether a quotient has real generators only."""
        parts = [value.lifted, *map(self.ring.factor, value.powers)]
        return not any(part.degrees()[g] > 0 for part in parts for g in self.imaginary)


@dataclass(slots=True)
class Atom:
    """One of the coprime factors: an integer or a monic polynomial, taken in absolute value."""

    item: int | fmpq_mpoly
    wanted: int = 1  # the order of the root that the present stage asks for
    order: int = 0  # of the root there is; 0 for none
    root: Quotient | None = None
    log: Quotient | None = None
    parent: tuple[int, int] | None = None  # this is the root of that order of that atom


class Radicals:
    r"""All roots and logarithms that a proof has met.

    A quotient is ``± prod |f| ** e`` over pairwise coprime factors f, so that

    .. math:: |u|^q = \prod_f (|f|^{1/n})^{n q e_f}, \qquad \log |u| = \sum_f e_f \log |f|.

    The generators are :math:`r = |f|^{1/n}` and :math:`\log |f|`. The relation is
    :math:`r^n = \pm f` where the sign of f follows from the roots and logarithms that occur,
    whose arguments are not negative where they are real, and :math:`r^{2n} = f^2` elsewhere.
    """

    def __init__(self, tower: Tower) -> None:
        self._tower = tower
        self._ring = tower.ring
        self._atoms: list[Atom] = []
        self._signs = Signs()
        self.logarithms: dict[int, int] = {}  # from generator to atom

    def register(self, values: Iterable[Quotient]) -> None:
        """Find the coprime factors of quotients that roots or logarithms will be taken of."""
        numbers: list[int] = []
        polynomials: list[fmpq_mpoly] = []
        for value in values:
            if value.is_zero:
                raise BadData("Expected roots and logarithms of other numbers than 0.")
            if not self._tower.is_real(value):
                raise NotCertified(
                    "Expected real arguments of roots, logarithms, abs and erf; got one with I."
                )
            leading = value.lifted.leading_coefficient()
            numbers += [abs(int(leading.p)), int(leading.q)]
            for part in [value.lifted, *map(self._ring.factor, value.powers)]:
                polynomials += self._pieces(part)
        known = [self._item(atom) for atom in self._atoms]
        integers = [item for item in known if isinstance(item, int)]
        for number in coprime_base(_without(numbers, integers, _divided), gcd, _divided, 1):
            self._append(Atom(_square_root(number)))
        divide, one = self._ring.divided, self._ring.number(1).numerator
        rests = _without(polynomials, [p for p in known if not isinstance(p, int)], divide)
        for polynomial in coprime_base(rests, self._gcd, divide, one):
            self._append(Atom(polynomial))

    def adopt(self, generator: Quotient, log: Quotient) -> int:
        """Make a positive generator an atom whose logarithm is known; return its number."""
        self._append(Atom(generator.lifted, log=log))
        return len(self._atoms) - 1

    def learn(self, value: Quotient) -> None:
        """Record that a registered quotient is non-negative wherever the claim makes sense."""
        sign, powers = self.factored(value)
        vector = sum((power % 2) * (2 << i) for i, power in powers.items())
        self._signs.learn(vector | (sign < 0))

    def want(self, powers: dict[int, int], exponent: Fraction) -> None:
        """Announce :meth:`power` of these factors, so that one root serves all in a stage."""
        for i, power in powers.items():
            atom = self._atoms[i]
            atom.wanted = lcm(atom.wanted, (power * exponent).denominator)

    def factored(self, value: Quotient) -> tuple[int, dict[int, int]]:
        """Return the sign of the constant and the power of each atom in a registered quotient."""
        leading = value.lifted.leading_coefficient()
        parts = [(abs(int(leading.p)), 1), (int(leading.q), -1), (value.lifted, 1)]
        parts += [(self._ring.factor(i), -power) for i, power in value.powers.items()]
        powers: dict[int, int] = {}
        for part, sense in parts:
            for i, atom in enumerate(self._atoms):
                if isinstance(part, int) == isinstance(atom.item, int):
                    count, part = self._multiplicity(part, self._item(atom))
                    if count:
                        powers[i] = powers.get(i, 0) + sense * count
            if not isinstance(part, int) and not part.is_constant():
                raise NotCertified("Expected factors of low degree under roots and logarithms.")
        return (1 if leading > 0 else -1), powers

    def power(self, powers: dict[int, int], exponent: Fraction) -> Quotient:
        """Return the product of ``|atom| ** (power * exponent)``."""
        result = self._ring.number(1)
        for i, power in powers.items():
            result *= self._atom_power(i, power * exponent)
        return result

    def log(self, powers: dict[int, int]) -> Quotient:
        """Return the sum of ``power * log |atom|``."""
        result = self._ring.number(0)
        for i, power in powers.items():
            result += self._ring.number(power) * self._log(i)
        return result

    def _atom_power(self, i: int, exponent: Fraction) -> Quotient:
        atom, sign = self._atoms[i], self._signs.of_atom(i)
        if exponent.denominator == 1 and (sign or exponent.numerator % 2 == 0):
            value = self._value(atom) if sign >= 0 else -self._value(atom)
            return value**exponent.numerator
        atom.wanted = lcm(atom.wanted, exponent.denominator)
        if atom.root is None or atom.order % atom.wanted:
            self._extend_root(i, sign)
        assert atom.root is not None
        return atom.root ** int(exponent * atom.order)

    def _extend_root(self, i: int, sign: int) -> None:
        atom = self._atoms[i]
        order = lcm(max(atom.order, 1), atom.wanted)
        value = self._value(atom)
        root = self._tower.add(positive=True)
        generator = len(self._ring) - 1
        if atom.root is not None:
            self._ring.relate(generator, order // atom.order, atom.root.lifted)
        elif sign:
            self._ring.relate(generator, order, (value if sign > 0 else -value).lifted)
        else:
            self._ring.relate(generator, 2 * order, (value * value).lifted)
        atom.root, atom.order = root, order
        self._append(Atom(root.lifted, parent=(i, order)))

    def _log(self, i: int) -> Quotient:
        atom = self._atoms[i]
        if atom.log is None and atom.parent is not None:
            parent, order = atom.parent
            atom.log = self._log(parent) * self._ring.number(fmpq(1, order))
        elif atom.log is None:
            atom.log = self._tower.add(positive=False)
            self.logarithms[len(self._ring) - 1] = i
        return atom.log

    def _value(self, atom: Atom) -> Quotient:
        if isinstance(atom.item, int):
            return self._ring.number(atom.item)
        return Quotient(self._ring, self._item(atom))

    def _item(self, atom: Atom) -> int | fmpq_mpoly:
        return atom.item if isinstance(atom.item, int) else self._ring.lift(atom.item)

    def _pieces(self, part: fmpq_mpoly) -> list[fmpq_mpoly]:
        """Return the generators and the square-free monic polynomials that make up a part."""
        content = part.term_content()
        present = [g for g, power in enumerate(content.degrees()) if power > 0]
        pieces = [self._ring.generator(g).lifted for g in present]
        rest = part / part.leading_coefficient() / content
        if rest.is_constant():
            return pieces
        if max(rest.degrees()) > MOST_DEGREE_TO_DIVIDE:
            return [*pieces, rest]
        self._ring.work.spend(len(rest) ** 2)
        _, factors = rest.factor_squarefree()
        return pieces + [factor / factor.leading_coefficient() for factor, _ in factors]

    def _gcd(self, left: fmpq_mpoly, right: fmpq_mpoly) -> fmpq_mpoly:
        if max(*left.degrees(), *right.degrees()) > MOST_DEGREE_TO_DIVIDE:
            return left if left == right else self._ring.number(1).numerator
        self._ring.work.spend(len(left) * len(right))
        return left.gcd(right)

    def _multiplicity(self, part: Any, item: Any) -> tuple[int, Any]:
        if isinstance(part, int):
            return multiplicity(part, item, _divided)
        return self._ring.multiplicity(part, item)

    def _append(self, atom: Atom) -> None:
        item = self._item(atom)
        self._atoms.append(atom)
        if isinstance(item, int) or is_positive_termwise(item.to_dict(), self._tower.positive):
            self._signs.learn(2 << (len(self._atoms) - 1))


def _divided(item: int, factor: int) -> int | None:
    return None if item % factor else item // factor


def _without(items: list, factors: list, divide: Callable) -> list:
    rests = []
    for item in items:
        for factor in factors:
            _, item = multiplicity(item, factor, divide)
        rests.append(item)
    return rests


def _square_root(item: int) -> int:
    while isqrt(item) ** 2 == item:
        item = isqrt(item)
    return item
