"""Files as ganvas opens, reads, writes and shows them: the lowest room, without torch and without runs."""
