"""Config groups and overrides to one plain config; Hydra is known here and in what sweeps compose."""
