"""Chains that join several runs, and the figures drawn from them."""
