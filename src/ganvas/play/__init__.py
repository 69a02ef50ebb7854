"""``ganvas play``: a local page for runs."""
