"""The steps of the algorithm of arXiv 2404.18893 for mixtures of general Gaussians."""
