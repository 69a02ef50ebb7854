"""Samples as image files: grids, scatter plots, animations."""
