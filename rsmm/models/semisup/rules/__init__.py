"""Rules: what makes a target of a prediction, one class per algorithm."""
