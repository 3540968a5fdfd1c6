"""Mutual information: estimate it from samples, and train models that maximise or minimise it."""
