"""Sounds of files: decoded once, and cut into clips."""
