"""``ganvas runs``: what there is, one run, two side by side, and what can go."""
