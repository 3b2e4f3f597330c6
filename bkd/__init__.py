"""Experiment manager in the terminal for knowledge distillation from Bayesian teachers."""

__version__ = "0.1.0"
