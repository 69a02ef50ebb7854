"""A run over several ranks: started, joined, watched, ended together."""
