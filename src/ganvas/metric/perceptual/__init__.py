"""Distances of pictures by the features of a trained network."""
