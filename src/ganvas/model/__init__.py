"""Recipes (the modules here) and the parts that they are made of (the folders)."""
