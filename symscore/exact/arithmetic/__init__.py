"""Rationals, balls and integers: what certificates compute with."""
