"""A pytest plugin that loads one module of the exact layer with one line of it changed.

    SYMSCORE_MUTANT=name python -m pytest -p tests.exact.mutation tests/exact/...

Every mutant is a mistake that such code invites: a tail forgotten, a midpoint taken for the number,
a variance for a standard deviation. `test_mutants.py` asks the tests to fail on each.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType

PACKAGE = Path(__file__).resolve().parents[2] / "symscore"


@dataclass(frozen=True)
class Mutant:
    """A module, what stands in it once, what takes its place, and tests that have to notice."""

    module: str
    old: str
    new: str
    tests: str

    @property
    def path(self) -> Path:
        """The module's file."""
        return PACKAGE.joinpath(*self.module.split(".")[1:]).with_suffix(".py")

    def source(self) -> str:
        """The changed source."""
        text = self.path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.old!r} stands {text.count(self.old)} times in {self.path}")
        return text.replace(self.old, self.new)


BOUNDS = "test_fisher_bounds.py"
MUTANTS = {
    "tail of the spread forgotten": Mutant(
        "symscore.exact.information.fisher_line",
        "integral(integrand, ends) + _spread_tail(found, found.law, ends).union(arb(0))",
        "integral(integrand, ends)",
        BOUNDS,
    ),
    "tail of the departure a millionth": Mutant(
        "symscore.exact.information.fisher_line",
        "integral(integrand, ends) + _spread_tail(found, law, ends).union(arb(0))",
        "integral(integrand, ends) + _spread_tail(found, law, ends).union(arb(0)) / 10**6",
        BOUNDS,
    ),
    "tail of the definition subtracted": Mutant(
        "symscore.exact.information.fisher_line",
        "integral(integrand, (low, high)) + tail.union(arb(0))",
        "integral(integrand, (low, high)) - tail.union(arb(0))",
        BOUNDS,
    ),
    "half of a tail's second moment": Mutant(
        "symscore.exact.arithmetic.quadrature",
        "return v * tail_mass(variance, radius) + 2 * v * bound * density",
        "return v * tail_mass(variance, radius) / 8",
        BOUNDS,
    ),
    "standard deviation for variance": Mutant(
        "symscore.exact.arithmetic.quadrature",
        "-1 / (2 * ball_of(variance)),",
        "-1 / (2 * ball_of(variance).sqrt()),",
        "test_fisher.py",
    ),
    "aliasing forgotten": Mutant(
        "symscore.exact.information.lattice", " + within(aliasing(parts, lattice))", "", BOUNDS
    ),
    "aliasing with the wrong sign in the exponent": Mutant(
        "symscore.exact.information.lattice_bounds",
        "(-2 * arb.pi() * height / spacing).exp()",
        "(-4 * arb.pi() * height / spacing).exp()",
        BOUNDS,
    ),
    "points outside forgotten": Mutant(
        "symscore.exact.information.lattice", " + outside(parts, lattice).union(arb(0))", "", BOUNDS
    ),
    "skipped lines forgotten": Mutant(
        "symscore.exact.information.lattice",
        "volume * (total + skipped.union(arb(0)))",
        "volume * total",
        BOUNDS,
    ),
    "units lost forgotten": Mutant(
        "symscore.exact.information.lattice_integers",
        "Fraction(units + lost, 1 << bits)",
        "Fraction(units, 1 << bits)",
        BOUNDS,
    ),
    "integer aliasing on one side only": Mutant(
        "symscore.exact.information.lattice_integers",
        "Fraction(units, 1 << bits) - aliasing",
        "Fraction(units, 1 << bits)",
        BOUNDS,
    ),
    "integer points outside forgotten": Mutant(
        "symscore.exact.information.lattice_integers",
        " + outside + aliasing",
        " + aliasing",
        BOUNDS,
    ),
    "exponential rounded up": Mutant(
        "symscore.exact.arithmetic.integers",
        "max(0, value - lost >> working - bits)",
        "max(0, (value + lost >> working - bits) + 1)",
        "test_integers.py",
    ),
    "midpoint taken for the number": Mutant(
        "symscore.exact.arithmetic.balls",
        "return cls(-_above(-ball.lower()), _above(ball.upper()))",
        "return cls(_above(ball.mid()), _above(ball.mid()))",
        "test_balls.py",
    ),
    "width not looked at": Mutant(
        "symscore.exact.arithmetic.balls",
        "if reached is not None and reached.width <= width:",
        "if reached is not None:",
        "test_balls.py",
    ),
    "a route believed": Mutant(
        "symscore.exact.certificate",
        "not self.one_sided and enclosure.width > width",
        "not self.one_sided and enclosure.width > 10 * width",
        "test_balls.py",
    ),
    "widened inwards": Mutant(
        "symscore.exact.certificate",
        "ceil(enclosure.lower * scale) - 1",
        "ceil(enclosure.lower * scale) + 1",
        "test_certificate.py",
    ),
    "a check content with an overlap": Mutant(
        "symscore.exact.claims",
        "if certificate.enclosure.contains(fresh):",
        "if certificate.enclosure.overlaps(fresh):",
        "test_certificate.py",
    ),
    "a check by the same method": Mutant(
        "symscore.exact.claims",
        "claim.derive(inputs, width, but=certificate.method)",
        "claim.derive(inputs, width)",
        "test_certificate.py",
    ),
    "floats let through": Mutant(
        "symscore.exact.numbers",
        "if isinstance(value, float):\n        _refuse_float(value, name)",
        "if isinstance(value, float):\n        return sympy.Rational(value)",
        "test_numbers.py",
    ),
    "score differences added": Mutant(
        "symscore.exact.information.statistic",
        "entries(pulls[i] - pulls[j]),",
        "entries(pulls[i] + pulls[j]),",
        "test_fisher.py",
    ),
    "a factor of the moments' recurrence dropped": Mutant(
        "symscore.exact.arithmetic.moments",
        "covariance[j][i] * power * table[lowered(lower, i)]",
        "covariance[j][i] * table[lowered(lower, i)]",
        "test_projection_error.py",
    ),
    "captured energy rounded away": Mutant(
        "symscore.exact.distances.projection_error",
        "enclosed.upper - captured)",
        "enclosed.lower - captured)",
        "test_projection_error.py",
    ),
}


class Finder:
    """Finds the mutant's module, and lets all others be found as usual."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """Return a specification that loads the changed source."""
        if name != self.mutant.module:
            return None
        loader = Loader(name, str(self.mutant.path))
        loader.changed = self.mutant.source()
        return importlib.util.spec_from_loader(name, loader)


class Loader(SourceFileLoader):
    """Compiles the changed source, never a cached file."""

    changed = ""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the changed source."""
        return compile(self.changed, self.path, "exec")


if name := os.environ.get("SYMSCORE_MUTANT"):
    sys.meta_path.insert(0, Finder(MUTANTS[name]))
