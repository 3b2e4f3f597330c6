"""Variational weights: layers whose weights have a posterior, and what draws them."""
