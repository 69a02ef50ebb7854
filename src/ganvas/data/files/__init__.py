"""Image files decoded, and kept decoded."""
