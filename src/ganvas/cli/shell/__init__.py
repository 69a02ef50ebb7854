"""Tab completion: the shells' scripts, and what may come next on a command line."""
