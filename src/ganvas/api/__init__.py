"""What ``import ganvas`` offers to a Python program: the commands as functions, runs as objects."""
