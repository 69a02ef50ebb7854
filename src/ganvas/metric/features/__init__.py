"""Fixed maps from samples to feature vectors."""
