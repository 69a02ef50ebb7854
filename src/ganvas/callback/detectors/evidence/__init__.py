"""What detectors rest on: what a run has reported, and what is measured at one moment."""
