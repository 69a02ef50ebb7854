"""Many runs: what a sweep would run, its jobs, what a terminal shows of it."""
