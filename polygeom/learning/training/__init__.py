"""The training loop, its settings and checkpoints, and exact least squares."""
