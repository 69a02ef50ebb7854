"""What ganvas encode and ganvas decode share: the model of a RUN, and where pictures come from."""
