"""Exact mixtures and their scores: SymPy expressions and rationals, never a rounded number."""

from symscore.exact.bounds.sampler_bound import total_variation_bound
from symscore.exact.bounds.tails import certified_degree, hermite_tail_bound
from symscore.exact.certificate import Certificate
from symscore.exact.claims import certify, check
from symscore.exact.distances.cells import Grid, Slabs
from symscore.exact.distances.piecewise import best_piecewise_error, piecewise_error
from symscore.exact.distances.polynomial_error import polynomial_error, population_risk
from symscore.exact.distances.projection_error import projection_error
from symscore.exact.distances.soft_error import soft_field_error
from symscore.exact.distances.soft_field import SoftCell, SoftField
from symscore.exact.distances.sup_error import sup_error
from symscore.exact.expansions.hermite import hermite_e, hermite_normalised, hermite_product
from symscore.exact.expansions.hermite_expansion import HermiteExpansion
from symscore.exact.expansions.hermite_moments import hermite_coefficients, hermite_moments
from symscore.exact.expansions.levels import ScoreLevels, project_score_all_levels
from symscore.exact.expansions.projection import ScoreProjection, project_score
from symscore.exact.formulas.expressions import read_expression
from symscore.exact.formulas.polynomial_text import read_polynomial
from symscore.exact.formulas.printing import to_latex
from symscore.exact.information.fisher import fisher_information
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import exact_float
from symscore.exact.planning.planner import Plan, plan
from symscore.exact.planning.separation import SeparationPlan, separation_plan
from symscore.exact.posterior import (
    mean_cumulants,
    mean_moments,
    posterior,
    posterior_cumulants,
    posterior_moments,
)
from symscore.exact.proofs.differential import DifferentialField
from symscore.exact.proofs.identities import Proof, is_identity, prove
from symscore.exact.two_components import tanh_form

# The functional spelling: score(mixture, x), denoiser(mixture, x, alpha).
score = ExactMixture.score
denoiser = ExactMixture.denoiser

__all__ = [
    "Certificate",
    "DifferentialField",
    "ExactMixture",
    "Grid",
    "HermiteExpansion",
    "Plan",
    "Proof",
    "ScoreLevels",
    "ScoreProjection",
    "SeparationPlan",
    "Slabs",
    "SoftCell",
    "SoftField",
    "best_piecewise_error",
    "certified_degree",
    "certify",
    "check",
    "denoiser",
    "exact_float",
    "fisher_information",
    "hermite_coefficients",
    "hermite_e",
    "hermite_moments",
    "hermite_normalised",
    "hermite_product",
    "hermite_tail_bound",
    "is_identity",
    "mean_cumulants",
    "mean_moments",
    "piecewise_error",
    "plan",
    "polynomial_error",
    "population_risk",
    "posterior",
    "posterior_cumulants",
    "posterior_moments",
    "project_score",
    "project_score_all_levels",
    "projection_error",
    "prove",
    "read_expression",
    "read_polynomial",
    "score",
    "separation_plan",
    "soft_field_error",
    "sup_error",
    "tanh_form",
    "to_latex",
    "total_variation_bound",
]
