"""Many runs: what a sweep is on disk, where its jobs come from, what runs them."""
