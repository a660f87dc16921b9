"""The steps of the algorithm of arXiv 2404.18869: piecewise polynomials around warm starts."""
