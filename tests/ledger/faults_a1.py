"""Mistakes in the checks of sections 1 to 4.1 of paper A."""

from tests.ledger.faults import Fault

SETTING = "paper_a.setting"
STRUCTURE = "paper_a.structure"
REVERSE = "paper_a.reverse"
SAMPLER = "paper_a.sampler"
STOPPING = "paper_a.stopping"
LIST = "paper_a.crude_list"
MEANS = "paper_a.crude_means"

FAULTS: tuple[Fault, ...] = (
    # Eigenvalues of another matrix.
    Fault("A.Def1", SETTING, "[fmpq(3, 4), fmpq(5, 4)]", "[fmpq(3, 4), fmpq(6, 4)]"),
    # A covariance that grows by too little noise.
    Fault("A.Eq1", SETTING, "spread = a**2 * q + (1 - a**2)", "spread = a**2 * q + (1 - a)"),
    # The update without its factor 2, and with half the exponent.
    Fault("A.Eq2", SETTING, "return rho, 2 * (rho - 1)", "return rho, (rho - 1)"),
    Fault("A.Eq2", SETTING, "rho = exp(step)", "rho = exp(step / 2)"),
    # One degree of freedom less lost.
    Fault("A.Prop3", SETTING, "order: int = count - 3", "order: int = count - 2"),
    # A distance without what the dimensions add, and a growth of the wrong sign.
    Fault("A.Rem4", SETTING, "* 3) + 6 * delta", "* 3) + 3 * delta"),
    Fault("A.Rem4", SETTING, "(1 - a**2) * (1 - p**2)", "(1 - a**2) * (p**2 - 1)"),
    # A score of the wrong sign.
    Fault("A.Eq3", STRUCTURE, "formula = -sum(", "formula = sum("),
    # Distances that forget the covariances, and chains that are too long.
    Fault("A.Def6", STRUCTURE, "+ abs(one[1] - other[1])", "+ 0 * one[1]"),
    Fault("A.Def10", STRUCTURE, "(count - 1) * (reach", "(count - 2) * (reach"),
    # The reverse drift with one score instead of two.
    Fault("A.Eq5", REVERSE, "-(dim + 2 * divergence)", "-(dim + divergence)"),
    Fault("A.Eq7", REVERSE, "slope * table[(1, 1)] / NOISE", "slope * table[(1, 1)]"),
    # A step of one length and scores of another.
    Fault(
        "A.Alg1",
        SAMPLER,
        "errors.append(_normal_divergence(*_run(parts, 1)))",
        "errors.append(_normal_divergence(*_run(parts, 2)))",
    ),
    Fault("A.Alg1", SAMPLER, "z.sqrt().atanh() / z.sqrt()", "z.sqrt().atanh()"),
    Fault("A.Thm11", SAMPLER, "stopped = ball_of(delta) *", "stopped = 2 * ball_of(delta) *"),
    # The corrected steps with the printed exponent, and errors with the printed weight.
    Fault(
        "A.Lem12",
        SAMPLER,
        "right, later = 1 / power, 1 / (power * (1 + k))",
        "right, later = 1 + k - power, 1 / power",
    ),
    Fault("A.Lem12", SAMPLER, "before**2 * chain.error", "chain.error"),
    # Bounds with smaller constants.
    Fault("A.p23KL", STOPPING, "slope = (2 * r - 1)", "slope = (r - 1)"),
    Fault("A.p24KL", STOPPING, "radius * radius / 2", "radius * radius / 3"),
    Fault("A.p23KL", STOPPING, "expand((2 * delta) ** 2", "expand(delta**2"),
    Fault("A.p24KL", STOPPING, "found += r - (1 + r).log()", "found += r + (1 + r).log()"),
    Fault("A.Lem13", LIST, "spare = 70 *", "spare = 69 *"),
    # A net twice as coarse.
    Fault("A.Alg2", LIST, "pitch = 2 * sqrt", "pitch = 4 * sqrt"),
    # Lemma 15 without its factor 2, and lemma 16 without the error of the moments.
    Fault(
        "A.Lem14",
        MEANS,
        "bound = 2 * ball_of(BETA / w).sqrt()",
        "bound = ball_of(BETA / w).sqrt() / 4",
    ),
    Fault("A.Lem15", MEANS, "2 * eps - n)", "eps - n)"),
    Fault("A.Lem16", MEANS, "2 * (1 + eta) * beta)", "(1 + eta) * beta)"),
)
