"""What data sets have in common: downloaded, drawn from a seed, put together, or of the user's own."""
