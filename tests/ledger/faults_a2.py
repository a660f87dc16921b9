"""Mistakes in the checks of sections 4.2 and 4.3 of paper A."""

from tests.ledger.faults import Fault

CRUDE = "paper_a.crude_covariances"
FOURTH = "paper_a.fourth_moments"
NEAREST = "paper_a.nearest_centre"
SEARCH = "paper_a.crude_search"
CLUSTERS = "paper_a.clustering"
TESTS = "paper_a.covariance_tests"
RULE = "paper_a.clustering_rule"

FAULTS: tuple[Fault, ...] = (
    # A constant that is too small by one.
    Fault("A.Lem17", CRUDE, "spare = 34 * (k", "spare = 33 * (k"),
    # A signal without the offset of the mean.
    Fault("A.Lem17", CRUDE, "spread + column(offset) * column(offset).transpose()", "spread * 1"),
    # Lemma 15 without its factor 2, or without the weight.
    Fault("A.Lem17", CRUDE, "defect / (2 * ball_of(noise / own))", "defect / ball_of(noise / 40)"),
    # A projector that is none.
    Fault(
        "A.Lem17",
        CRUDE,
        "outer = normal * normal.transpose() / 9",
        "outer = normal * normal.transpose() / 8",
    ),
    # The tail at a fourth of the distance.
    Fault("A.Eq8-11", CRUDE, "sqrt(8 * beta * (8 *", "sqrt(4 * beta * (8 *"),
    # Bisectors at the centres.
    Fault("A.Eq8-11", CRUDE, "here - (own + c) / 2", "here - own"),
    Fault("A.Eq8-11", CRUDE, "t[(2, 2)] - 2 * c * t[(1, 2)]", "t[(2, 2)] - c * t[(1, 2)]"),
    # A conditional variance that is not reduced.
    Fault("A.Eq8-11", CRUDE, "fmpq(1, 4), fmpq(7, 8)", "fmpq(1, 4), fmpq(1)"),
    # The upper scale of the tail instead of the printed one: then nothing is refuted.
    Fault("A.Lem18", CRUDE, "(least * radius.log()).sqrt()", "radius.log().sqrt()"),
    Fault(
        "A.Lem18", CRUDE, "normal_tail(delta / 2), radius**-8", "normal_tail(delta), radius ** -1"
    ),
    Fault(
        "A.Lem18",
        CRUDE,
        "(ball_of(distance) / 2) / ball_of(beta).sqrt()",
        "(ball_of(distance) / 2) / ball_of(beta)",
    ),
    Fault("A.Fact19", FOURTH, "u**2 / (2 * (1 - u)) - term", "u**2 / (4 * (1 - u)) - term"),
    Fault("A.Fact19", FOURTH, "rate = root / (f + 2 * b * root)", "rate = root / (f + b * root)"),
    Fault("A.Fact19", FOURTH, "sympy.sqrt(s**2 / 16)", "sympy.sqrt(s**2 / 8)"),
    # A form's variance without the offset.
    Fault(
        "A.Lem20", FOURTH, "2 * BETA**2 + 4 * BETA * UPSILON\n", "BETA**2 / 4 + BETA * UPSILON\n"
    ),
    Fault(
        "A.Lem20",
        FOURTH,
        "moment - vector * vector.transpose()",
        "moment - 2 * vector * vector.transpose()",
    ),
    Fault(
        "A.Lem20",
        FOURTH,
        "found == 2 * beta**2 + 4 * beta * 4",
        "found == 2 * beta**2 + 2 * beta * 4",
    ),
    # The printed form for both.
    Fault("A.Lem21", FOURTH, "norm + mirrored if corrected", "2 * norm if corrected"),
    Fault("A.Lem21", FOURTH, "+ 2 * (push.T * q * pull)[0, 0]", "+ (push.T * q * pull)[0, 0]"),
    Fault("A.Lem21", FOURTH, "c**2 * s * s - q * s * q * s", "c * s * s - q * s * q * s"),
    # A bound that has no upsilon.
    Fault("A.Lem22", NEAREST, "12 * (1 + ball_of(upsilon))", "12 * (1 + ball_of(1))"),
    Fault("A.Lem22", NEAREST, "spare = 3 * (sum(variances)", "spare = 2 * (sum(variances)"),
    Fault("A.Lem22", NEAREST, "48 * delta**4 - inner", "47 * delta**4 - inner"),
    Fault("A.Lem22", NEAREST, "left = 12 * (root**2", "left = 11 * (root**2"),
    # Cells of the farthest centre.
    Fault(
        "A.Cor23",
        NEAREST,
        "places = sorted(centres)",
        "places = sorted(centres, reverse=False)[::-1]",
    ),
    Fault(
        "A.Cor23",
        NEAREST,
        "signal = SPREAD + offset * offset.transpose()",
        "signal = 4 * SPREAD * 1",
    ),
    # A moment of the order of the signal: then nothing is refuted.
    Fault("A.Cor23", NEAREST, "(1 + s**2) - s**4 / 2", "(1 + s**4) - s**4 / 2"),
    # A design whose fourth moments are too large.
    Fault("A.Alg3", SEARCH, "steps = [(fmpq(2, 3), 0)", "steps = [(fmpq(99, 3), 0)"),
    Fault(
        "A.Alg4",
        SEARCH,
        "any(good[i] and right[i][j] for i, j in pairs)",
        "any(right[0][j] for _, j in pairs)",
    ),
    Fault("A.Def24", SEARCH, "close <= 9 * covariance_square", "close <= covariance_square"),
    Fault(
        "A.Def24",
        SEARCH,
        "if _square(points[i], points[j]) < square",
        "if _square(points[i], points[j]) > square",
    ),
    Fault("A.Prop25", CLUSTERS, "delta / 2 - 2 * (delta / 6)", "delta / 2 - delta / 6"),
    # A covariance gap without the root.
    Fault(
        "A.Prop25",
        CLUSTERS,
        "(fmpq(50) / (constant * alpha**2)) ** 2",
        "(fmpq(50) / (constant * alpha**2))",
    ),
    Fault("A.Lem26", CLUSTERS, "g**2 + 2 * g * (diagonal", "g**2 + g * (diagonal"),
    Fault("A.Lem26", CLUSTERS, "max(value, alpha / 2)", "max(value, alpha / 20)"),
    Fault(
        "A.p35id", CLUSTERS, "q[i, j] + offset[i] * offset[j]", "q[i, j] - offset[i] * offset[j]"
    ),
    Fault("A.p35id", CLUSTERS, "- 2 * one)", "- one)"),
    Fault(
        "A.Lem27",
        TESTS,
        "y = 2 * (t**2 - sympy.Rational(3, 2)) - t**2 / 2",
        "y = (t**2 - sympy.Rational(3, 2)) / 2 - t**2 / 2",
    ),
    # The printed bound with c' and not its square: then nothing is refuted.
    Fault("A.Lem27", TESTS, "constant * large**2 / 64", "constant * large / 64"),
    Fault("A.Lem27", TESTS, "form + 2 * linear + ", "form + linear + "),
    Fault("A.Lem28", TESTS, "s = 32 * x", "s = 16 * x"),
    Fault("A.Lem28", TESTS, "c * apart * sqrt(alpha) / beta", "c * apart * alpha / beta"),
    Fault("A.Lem29", TESTS, "2 * (b - a).dot(x - (a + b) / 2)", "(b - a).dot(x - (a + b) / 2)"),
    Fault("A.Lem29", TESTS, "g: d - 2 * root", "g: d - root"),
    Fault("A.Lem29", TESTS, "arb(1), ball_of(beta))", "arb(1) / 9, ball_of(beta) / 2)"),
    Fault("A.Eq31", RULE, "(b - q) * k + b * (most - k)", "(b - q) * k + (most - k)"),
    Fault(
        "A.Eq31", RULE, "2 * b + (2 * b - 2), 2 * b + excess", "2 * b + 2 * b + 2, 2 * b + excess"
    ),
    Fault(
        "A.Cor30",
        RULE,
        "form_exponent(self.root * operator",
        "form_exponent(operator",
    ),
    Fault("A.Cor30", RULE, "return 1 - tail if test.slope > 0 else tail", "return tail"),
    Fault("A.Cor31", RULE, "- test.excess - 3", "+ test.excess - 3"),
    Fault(
        "A.Alg5",
        RULE,
        "numbers.setdefault(key, len(numbers))",
        "numbers.setdefault(key[:1], len(numbers))",
    ),
)
