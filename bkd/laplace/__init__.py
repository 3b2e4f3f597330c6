"""Laplace approximations of trained networks: fit, prior, predictive. `bkd.laplace.fit` is the way in."""
