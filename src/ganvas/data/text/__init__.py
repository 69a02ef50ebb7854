"""Text files: found, parted into splits, cut into windows, and read by a tokenizer."""
