"""Hermite expansions, and the exact projections of scores."""
