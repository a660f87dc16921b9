"""Bounds with every constant known: Hermite tails, the distance of a sampler."""
