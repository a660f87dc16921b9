"""Learning the denoiser of noised data, level by level, by linear least squares."""
