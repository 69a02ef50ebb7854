"""A pipeline: stages that train and commands, one behind the other, and what is left of them on the disk."""
