"""Mistakes in the checks of paper A, sections 6.1 to 6.3."""

from tests.ledger.faults import Fault

FAULTS: tuple[Fault, ...] = (
    # A threshold of half the size.
    Fault(
        "A.Prop32", "paper_a.simplification", "across = 4 * log(1 / e)", "across = 2 * log(1 / e)"
    ),
    # Too few powers of 1 / alpha.
    Fault("A.Prop32", "paper_a.simplification", "b**4 * a**5 - 7", "b**4 * a**7 - 7"),
    # A cell's own components exchanged for those of the other.
    Fault("A.Prop32", "paper_a.simplification", "((0, 1), (low, cut))", "((2,), (low, cut))"),
    # Halves of the overlap's exponent that do not meet.
    Fault(
        "A.Lem33",
        "paper_a.dropped_components",
        "return exp(-c * d) / (2 * lam)",
        "return exp(-c * d) / lam",
    ),
    Fault("A.Lem33", "paper_a.dropped_components", "eighth = 3**4 *", "eighth = 3**3 *"),
    # The reference component with the wrong sign.
    Fault(
        "A.Claim35",
        "paper_a.dropped_components",
        "d[j] / inner * (g[i] - g[j])",
        "d[j] / inner * (g[j] - g[i])",
    ),
    Fault(
        "A.Claim35",
        "paper_a.dropped_components",
        "gap = 8 * (p**4 + q**4)",
        "gap = 4 * (p**4 + q**4)",
    ),
    Fault(
        "A.Lem34", "paper_a.dropped_components", "left = d[2] / whole *", "left = d[2] / inner *"
    ),
    Fault("A.Lem34", "paper_a.dropped_components", "* gap**power", "* gap ** (power + 4)"),
    Fault("A.p46ratio", "paper_a.overlap", "/ (first + second) / one", "/ (first + second) / two"),
    # The printed constants.
    Fault("A.Claim36", "paper_a.overlap", "-square / (8 * beta)", "-square / beta"),
    Fault("A.Claim36", "paper_a.overlap", "rate * (y - m / (1 + x))", "rate * (y - m / (2 + x))"),
    Fault("A.Claim36", "paper_a.overlap", "rate = (1 + x) / (4 * x)", "rate = (1 + x) / (2 * x)"),
    Fault("A.Claim36", "paper_a.overlap", "moved / (4 * spread)", "moved * 9 / spread"),
    # The printed logarithm.
    Fault(
        "A.Fact37",
        "paper_a.overlap",
        "corrected = low - high, low - high / 2",
        "corrected = low - high, low - high",
    ),
    Fault(
        "A.Fact37",
        "paper_a.overlap",
        "log(x) / 4 - log((1 + x) / 2) / 2",
        "log(x) / 4 - log((1 + x) / 2)",
    ),
    Fault("A.Claim38", "paper_a.score_gap", "pulled = 4 *", "pulled = 2 *"),
    Fault("A.Claim38", "paper_a.score_gap", "sympy.expand(3 * (size", "sympy.expand(2 * (size"),
    Fault("A.Claim38", "paper_a.score_gap", "3**4 * fourth**2", "fourth**2"),
    # Half the exponent.
    Fault(
        "A.Fact39", "paper_a.score_gap", "(degree * t // 2) * second", "(degree * t // 4) * second"
    ),
    Fault(
        "A.p48num", "paper_a.score_gap", "((2, sympy.Rational(1, 4))", "((2, sympy.Rational(1, 2))"
    ),
    Fault("A.Lem41", "paper_a.polynomials", "(1 - lag**2)", "(1 - lag)"),
    Fault("A.Lem41", "paper_a.polynomials", "pi**2 / 2 * theta**2 / 2)", "pi**2 * theta**2 / 2)"),
    Fault("A.Lem42", "paper_a.polynomials", "(degree**2 - j**2)", "(degree**2 + j**2)"),
    Fault("A.Lem42", "paper_a.polynomials", "(4 * degree**2) ** j", "(2 * degree**2) ** j"),
    Fault("A.Lem43", "paper_a.softmax_slopes", "coefficients[1] -= 1", "coefficients[1] += 1"),
    Fault("A.Lem43", "paper_a.softmax_slopes", "{100: 15,", "{100: 13,"),
    Fault("A.Prop40", "paper_a.softmax", "{(1,): Fraction(-1)}", "{(1,): Fraction(1)}"),
    Fault("A.Prop40", "paper_a.softmax", "second * (2 * x - 3)) /", "second * (x - 3)) /"),
    Fault("A.Eq46", "paper_a.softmax", "gap[1] * pull[1]) / 2", "gap[1] * pull[1])"),
    Fault(
        "A.p51grad",
        "paper_a.softmax_slopes",
        "field.element(int(i == j)) - w[j]",
        "field.element(int(i == j)) - w[i]",
    ),
    Fault(
        "A.p51grad", "paper_a.softmax_slopes", "(high - low) ** 2 / 4 -", "(high - low) ** 2 / 2 -"
    ),
    # A linear term without its factor 2.
    Fault("A.Lem44", "paper_a.gates", "2 * (z.T * root", "(z.T * root"),
    Fault("A.Lem44", "paper_a.gates", "2 * (2 * x).sqrt() * abs(v)", "(2 * x).sqrt() * abs(v)"),
    # The printed sign of the score.
    Fault("A.Lem45", "paper_a.gates", "- k[0] * (mean - mu[0])", "+ k[0] * (mean - mu[0])"),
    Fault("A.Lem45", "paper_a.gates", "FIRST, SECOND = 12, 4", "FIRST, SECOND = 9, 4"),
    # An interval longer than 1.
    Fault(
        "A.Lem45", "paper_a.gates", "low, high = centre - arb(1) / 2", "low, high = centre - arb(2)"
    ),
    Fault("A.Eq50", "paper_a.gates", "(k2 - k1) ** 2 * alpha * r", "(k2 - k1) * alpha * r"),
    # The printed gate, which is closed.
    Fault("A.Eq50", "paper_a.gates", "SECOND**2 * n**4 * x**2", "n**2 * x"),
    Fault("A.Lem46", "paper_a.gate_errors", "fitted = 2 / (3 * alpha)", "fitted = 1 / alpha"),
    Fault(
        "A.Lem46",
        "paper_a.gate_errors",
        "((own - first) * (between - after))",
        "((own - first) * (between + after))",
    ),
    # The printed power of alpha.
    Fault(
        "A.Lem46", "paper_a.gate_errors", "unit = gap**2 * u**2 * a**2", "unit = gap**2 * u**2 * a"
    ),
    Fault("A.Lem46", "paper_a.gate_errors", "CONSTANT = 103", "CONSTANT = 86"),
    Fault("A.Lem47", "paper_a.gate_errors", "ball_of(gap - cut)", "ball_of(cut)"),
    Fault("A.Prop48", "paper_a.learning", "b**4 * q**4 * r * a**6", "b * q**4 * r * a**6"),
    Fault("A.Prop48", "paper_a.learning", "{1: 3, 2", "{1: 2, 2"),
    Fault("A.Eq64", "paper_a.learning", "square - 2 + 1 / NOISE**2", "square - 1 + 1 / NOISE**2"),
    Fault("A.Eq64", "paper_a.learning", "square - 2 * z / b * first", "square + 2 * z / b * first"),
    Fault("A.Prop49", "paper_a.learning", "(NOISE, fmpq(1))", "(NOISE, fmpq(2))"),
    Fault("A.Lem50", "paper_a.samples", "2 * m * r * s + s**2", "m * r * s + s**2"),
    Fault("A.Lem50", "paper_a.samples", "most**2 * gaps[0]", "most * gaps[0]"),
    Fault(
        "A.Prop51",
        "paper_a.samples",
        "excess = size *",
        "excess = size // 2 *",
    ),
)
