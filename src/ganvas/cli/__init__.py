"""Commands: the only room that knows Hydra."""
