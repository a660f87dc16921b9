"""Gradient descent on the DDPM objective, with the score of a mixture as the student."""
