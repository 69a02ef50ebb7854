"""Figures, each with its protocol."""
