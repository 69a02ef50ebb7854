"""Samples as one image for people: grids, scatter plots, animations, and the files of them."""
