"""Quotients of polynomials in numbered generators, some of which obey a relation.

A generator stands for a symbol, an exponential, a root or a logarithm. All coefficients are
rational, so that every operation is exact, and a quotient is zero if its numerator is the zero
polynomial once the relations have been used.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import final

from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx
from flint.utils.flint_exceptions import DomainError

from symscore.errors import BadData, ResourceLimit
from symscore.exact.proofs.work import Work

# No coefficient gets more bits, and there is no long division where a quotient could be dense.
GENERATORS_PER_WORD = 8  # flint packs about so many exponents into a machine word
MOST_BITS = 1 << 20
MOST_DEGREE_TO_DIVIDE = 200
SAMPLE_COST = 4  # products that the value of one term is worth
MOST_TERMS_CHARGED = 4  # a division that does not go usually shows it after a few terms


@final
@dataclass(frozen=True, slots=True, eq=False)
class Quotient:
    """``numerator / prod(factor ** power)``, the factors being numbered by the ring.

    Quotients of one ring are added, multiplied, divided and compared with the usual operators;
    ``==`` asks whether the difference is zero, and they have no hash.
    """

    ring: "Ring"
    numerator: fmpq_mpoly
    powers: dict[int, int] = field(default_factory=dict)

    @property
    def is_zero(self) -> bool:
        """Whether the numerator is the zero polynomial."""
        return bool(self.numerator == 0)

    @property
    def lifted(self) -> fmpq_mpoly:
        """The numerator as a polynomial in all generators that the ring has by now."""
        return self.ring.lift(self.numerator)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quotient):
            return NotImplemented
        return (self - other).is_zero

    def __add__(self, other: "Quotient") -> "Quotient":
        ring = self.ring
        powers = ring.common(p.powers for p in (self, other))
        total = ring.over(self, powers) + ring.over(other, powers)
        return ring.cancelled(total, powers)

    def __neg__(self) -> "Quotient":
        return Quotient(self.ring, -self.numerator, self.powers)

    def __sub__(self, other: "Quotient") -> "Quotient":
        return self + -other

    def __mul__(self, other: "Quotient") -> "Quotient":
        ring = self.ring
        left = ring.cancelled(self.lifted, other.powers)
        right = ring.cancelled(other.lifted, self.powers)
        powers = dict(left.powers)
        for i, power in right.powers.items():
            powers[i] = powers.get(i, 0) + power
        return ring.cancelled(ring.times(left.numerator, right.numerator), powers)

    def inverse(self) -> "Quotient":
        """Return 1 / self; raise BadData where that is zero."""
        if self.is_zero:
            raise BadData("Expected denominators other than zero; got one that vanishes.")
        numerator, powers = self.ring.split(self.lifted)
        return self.ring.cancelled(
            self.ring.times(numerator, self.ring.expanded(self.powers)), powers
        )

    def __truediv__(self, other: "Quotient") -> "Quotient":
        return self * other.inverse()

    def __pow__(self, exponent: int) -> "Quotient":
        if exponent < 0:
            return self.inverse() ** -exponent
        powers = {i: exponent * power for i, power in self.powers.items() if exponent}
        return self.ring.cancelled(self.ring.power(self.lifted, exponent), powers)


@final
class Ring:
    """Polynomials over the rationals in generators ``g0, g1, ...``; more may be added.

    Parameters
    ----------
    work : Work, optional
        What all multiplications together may cost.
    """

    def __init__(self, work: Work | None = None) -> None:
        self.work = work or Work()
        self._names: list[str] = []
        self._context = fmpq_mpoly_ctx.get((), Ordering.degrevlex)
        self._relations: dict[int, tuple[int, fmpq_mpoly]] = {}
        self._factors: list[fmpq_mpoly] = []

    def __len__(self) -> int:
        return len(self._names)

    def new_generator(self) -> int:
        """Add a generator and return its number."""
        self._names.append(f"g{len(self._names)}")
        self._context = fmpq_mpoly_ctx.get(tuple(self._names), Ordering.degrevlex)
        self._relations = {g: (q, self.lift(p)) for g, (q, p) in self._relations.items()}
        self._factors = [self.lift(factor) for factor in self._factors]
        return len(self._names) - 1

    def relate(self, generator: int, degree: int, value: fmpq_mpoly) -> None:
        """From now on ``generator ** degree == value``, a polynomial in earlier generators."""
        self._relations[generator] = degree, self.lift(value)

    def sample(self, value: Quotient, seed: int) -> fmpq:
        """Return the value where the generators are integers that `seed` decides."""
        spread = (37 * g + 101 * seed**2 + 13 * seed * g for g in range(len(self)))
        numbers = [fmpq(1 + number % 997) for number in spread]
        self.work.spend(len(value.numerator) * SAMPLE_COST)
        below = fmpq(1)
        for i, power in value.powers.items():
            below *= self._factors[i](*numbers) ** power
        # A sample only suggests what is proved by other means: where it hits a pole, any number.
        return value.lifted(*numbers) / below if below else fmpq(0)

    def lift(self, polynomial: fmpq_mpoly) -> fmpq_mpoly:
        """Return a polynomial of an earlier stage as one in the present generators."""
        if polynomial.context() is self._context:
            return polynomial
        return polynomial.project_to_context(self._context)

    def number(self, value: fmpq | int) -> Quotient:
        """Return a rational constant."""
        return Quotient(self, self._context.constant(value))

    def generator(self, index: int, power: int = 1) -> Quotient:
        """Return a power of a generator, negative ones too."""
        return Quotient(self, self._context.gen(index)) ** power

    def polynomial(self, terms: dict[tuple[int, ...], fmpq]) -> fmpq_mpoly:
        """Return the polynomial with these coefficients; exponents may omit later generators."""
        size = len(self)
        return self._context.from_dict(
            {(*exponent, *(0,) * (size - len(exponent))): c for exponent, c in terms.items()}
        )

    def common(self, all_powers: Iterable[dict[int, int]]) -> dict[int, int]:
        """Return the powers of the least common denominator."""
        result: dict[int, int] = {}
        for powers in all_powers:
            for i, power in powers.items():
                result[i] = max(power, result.get(i, 0))
        return result

    def over(self, quotient: Quotient, powers: dict[int, int]) -> fmpq_mpoly:
        """Return the numerator over a common denominator."""
        missing = {i: power - quotient.powers.get(i, 0) for i, power in powers.items()}
        return self.times(quotient.lifted, self.expanded(missing))

    def expanded(self, powers: dict[int, int]) -> fmpq_mpoly:
        """Return the product of powers of factors as a polynomial."""
        product = self._context.constant(1)
        for i, power in powers.items():
            product = self.times(product, self.power(self._factors[i], power))
        return product

    def factor(self, index: int) -> fmpq_mpoly:
        """Return a factor that denominators are made of."""
        return self._factors[index]

    def times(self, left: fmpq_mpoly, right: fmpq_mpoly) -> fmpq_mpoly:
        """Return the product, the relations used."""
        words = 1 + len(self) // GENERATORS_PER_WORD
        self.work.spend(len(left) * len(right) * words)
        return self._reduced(left * right)

    def power(self, base: fmpq_mpoly, exponent: int) -> fmpq_mpoly:
        """Return a power, the relations used."""
        if exponent == 1:
            return base
        if len(base) <= 1 and exponent:
            bits = max((max(abs(c.p), c.q).bit_length() - 1 for c in base.coeffs()), default=0)
            if bits * exponent > MOST_BITS:
                raise ResourceLimit(
                    f"Expected coefficients of at most {MOST_BITS:,} bits; got a power "
                    f"{exponent} that has more."
                )
            return self._reduced(base**exponent)
        result = self._context.constant(1)
        for bit in f"{exponent:b}" if exponent else "":
            result = self.times(result, result)
            result = self.times(result, base) if bit == "1" else result
        return result

    def cancelled(self, numerator: fmpq_mpoly, powers: dict[int, int]) -> Quotient:
        """Divide numerator and denominator by each factor as often as it goes."""
        if numerator == 0:
            return Quotient(self, numerator)
        left = {}
        for i, power in powers.items():
            count, numerator = self.multiplicity(numerator, self._factors[i], power)
            if power > count:
                left[i] = power - count
        return Quotient(self, numerator, left)

    def multiplicity(
        self, polynomial: fmpq_mpoly, factor: fmpq_mpoly, most: int | None = None
    ) -> tuple[int, fmpq_mpoly]:
        """Return how often a factor divides a polynomial, up to `most`, and what remains."""
        if len(factor) == 1:
            # Exponents of exponentials can be millions, so a generator goes out at once.
            content = map(int, polynomial.term_content().degrees())
            count = min(p for p, f in zip(content, factor.degrees(), strict=True) if f > 0)
            count = count if most is None else min(count, most)
            return count, polynomial / factor**count
        count = 0
        while count != most and (smaller := self.divided(polynomial, factor)) is not None:
            polynomial, count = smaller, count + 1
        return count, polynomial

    def divided(self, dividend: fmpq_mpoly, divisor: fmpq_mpoly) -> fmpq_mpoly | None:
        """Return the quotient where it is a polynomial and found at little cost."""
        if len(divisor) > 1 and max(dividend.degrees(), default=0) > MOST_DEGREE_TO_DIVIDE:
            return None
        self.work.spend(len(dividend) * min(len(divisor), MOST_TERMS_CHARGED))
        try:
            return dividend / divisor
        except DomainError:
            return None

    def split(self, polynomial: fmpq_mpoly) -> tuple[fmpq_mpoly, dict[int, int]]:
        """Return 1 / polynomial as a numerator and powers of factors.

        ``1 / (c g^a r^b P)`` with a relation ``r^q = v`` has the numerator ``r^(q - b) / c`` and
        the factors of ``v``, g and P; P is divided by the factors known so far, and what remains
        becomes a new one.
        """
        leading = polynomial.leading_coefficient()
        content = polynomial.term_content()
        rest = polynomial / leading / content
        numerator, powers = self._context.constant(1 / leading), self._factored(rest)
        for g, power in enumerate(map(int, content.degrees())):
            if g in self._relations and power:
                degree, value = self._relations[g]
                turns = -(-power // degree)
                inner, factors = self.split(value)
                numerator = self.times(numerator, self.power(inner, turns))
                numerator *= self._context.gen(g) ** (turns * degree - power)
                for i, inner_power in factors.items():
                    powers[i] = powers.get(i, 0) + turns * inner_power
            elif power:
                i = self._number_of(self._context.gen(g))
                powers[i] = powers.get(i, 0) + power
        return self._reduced(numerator), powers

    def _factored(self, monic: fmpq_mpoly) -> dict[int, int]:
        powers: dict[int, int] = {}
        for i, factor in enumerate(self._factors):
            while len(monic) > 1 and (smaller := self.divided(monic, factor)) is not None:
                monic, powers[i] = smaller, powers.get(i, 0) + 1
        if monic != 1:
            powers[self._number_of(monic)] = 1
        return powers

    def _number_of(self, factor: fmpq_mpoly) -> int:
        if factor not in self._factors:
            self._factors.append(factor)
        return self._factors.index(factor)

    def _reduced(self, polynomial: fmpq_mpoly) -> fmpq_mpoly:
        # A relation speaks of earlier generators only, so one pass from the last will do.
        for g in sorted(self._relations, reverse=True):
            degree, value = self._relations[g]
            if polynomial.degrees()[g] >= degree:
                polynomial = self._folded(polynomial, g, degree, value)
        return polynomial

    def _folded(self, polynomial: fmpq_mpoly, g: int, degree: int, value: fmpq_mpoly) -> fmpq_mpoly:
        parts: dict[int, dict[tuple[int, ...], fmpq]] = {}
        for exponent, coefficient in polynomial.to_dict().items():
            turns, left = divmod(int(exponent[g]), degree)
            parts.setdefault(turns, {})[*exponent[:g], left, *exponent[g + 1 :]] = coefficient
        total = self._context.constant(0)
        for turns, terms in parts.items():
            total += self.times(self._context.from_dict(terms), self.power(value, turns))
        return total
