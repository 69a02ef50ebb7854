"""Quantizers of other libraries, read from their state dicts; one file a library."""
