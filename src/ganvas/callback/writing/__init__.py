"""What callbacks write, also where a disk is full."""
