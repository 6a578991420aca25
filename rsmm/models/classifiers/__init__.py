"""Classifiers that mmpretrain does not have."""
