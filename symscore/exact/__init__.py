"""Exact mixtures and their scores: SymPy expressions and rationals, never a rounded number."""

from symscore.exact.cells import Grid, Slabs
from symscore.exact.certificate import Certificate
from symscore.exact.claims import certify, check
from symscore.exact.differential import DifferentialField
from symscore.exact.expressions import read_expression
from symscore.exact.fisher import fisher_information
from symscore.exact.hermite import hermite_e, hermite_normalised, hermite_product
from symscore.exact.hermite_expansion import HermiteExpansion
from symscore.exact.hermite_moments import hermite_coefficients, hermite_moments
from symscore.exact.identities import Proof, is_identity, prove
from symscore.exact.levels import ScoreLevels, project_score_all_levels
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import exact_float
from symscore.exact.piecewise import best_piecewise_error, piecewise_error
from symscore.exact.planner import Plan, plan
from symscore.exact.polynomial_error import polynomial_error, population_risk
from symscore.exact.polynomial_text import read_polynomial
from symscore.exact.posterior import (
    mean_cumulants,
    mean_moments,
    posterior,
    posterior_cumulants,
    posterior_moments,
)
from symscore.exact.printing import to_latex
from symscore.exact.projection import ScoreProjection, project_score
from symscore.exact.projection_error import projection_error
from symscore.exact.sampler_bound import total_variation_bound
from symscore.exact.separation import SeparationPlan, separation_plan
from symscore.exact.soft_error import soft_field_error
from symscore.exact.soft_field import SoftCell, SoftField
from symscore.exact.sup_error import sup_error
from symscore.exact.tails import certified_degree, hermite_tail_bound
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
