"""Where the samples of a trained run go: the options that say so, and the files."""
