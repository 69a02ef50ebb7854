"""Networks that tell classes."""
