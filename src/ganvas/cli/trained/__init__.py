"""Commands that read one trained run."""
