"""Figures that need a trained model, not only arrays."""
