"""Gradients against what the values say."""

import numpy as np


def relative_error(objective, theta, rows):
    """Return how far the gradient is from central differences."""
    gradient = objective.value_and_gradient(theta, rows)[1].copy()
    steps = 1e-6 * np.eye(len(theta))
    ends = [[objective.value(theta + s * h, rows) for s in (1, -1)] for h in steps]
    numeric = np.array([(up - down) / 2e-6 for up, down in ends])
    return np.linalg.norm(gradient - numeric) / np.linalg.norm(numeric)
