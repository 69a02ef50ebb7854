"""From splits in memory to batches."""
