"""Options of commands on trained runs: what is asked of samples, and which metrics."""
