"""Formulas as text: read by a whitelist, printed for papers."""
