"""What a process does when it is to end: signals, and a parent that is gone."""
