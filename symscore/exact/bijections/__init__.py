"""Rigorous bounds on learned fields, and the bijection they make certain."""
