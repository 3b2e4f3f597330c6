"""The experiment in which the true class probabilities are known: what a teacher's noise costs, arm by arm."""
