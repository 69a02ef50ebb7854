"""Metrics of several runs side by side: which may be compared, how sure they are, and how they are shown."""
