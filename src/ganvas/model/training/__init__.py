"""The harness of all recipes, once: what a training step needs beside its algorithm."""
