"""Data modules and the in-memory loader."""
