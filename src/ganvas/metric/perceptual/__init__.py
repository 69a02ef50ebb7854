"""Distances of images by the features of a trained network."""
