"""The only door between the exact and the float layers; it reports what rounding cost."""

from symscore.bridge.bijection import BijectionReport, certify_bijection
from symscore.bridge.learned import (
    ExactedMixture,
    ExactField,
    to_exact_field,
    to_exact_mixture,
)
from symscore.bridge.learned_error import certify_learned
from symscore.bridge.mixtures import RoundedMixture, to_float_mixture
from symscore.bridge.numpy_functions import NumpyFunction, to_numpy

__all__ = [
    "BijectionReport",
    "ExactField",
    "ExactedMixture",
    "NumpyFunction",
    "RoundedMixture",
    "certify_bijection",
    "certify_learned",
    "to_exact_field",
    "to_exact_mixture",
    "to_float_mixture",
    "to_numpy",
]
