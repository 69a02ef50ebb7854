"""Commands that draw: rate-distortion curves of runs, pictures of priors."""
