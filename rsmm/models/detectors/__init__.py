"""Detectors; mmdet is imported by the modules that need it, not by this package."""
