"""The methods symscore is compared with: EM, a kernel estimate, a Bayesian mixture by NUTS."""

from symscore.baselines.em import fit_em
from symscore.baselines.estimate import Density, DensityEstimate
from symscore.baselines.kde import fit_kde

__all__ = ["Density", "DensityEstimate", "fit_em", "fit_kde"]
