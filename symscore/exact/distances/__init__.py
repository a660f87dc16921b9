"""How far polynomials, piecewise polynomials and learned fields are from a score."""
