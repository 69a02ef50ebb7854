"""A run's folder: what lies in it, who holds it, and how its files stay whole."""
