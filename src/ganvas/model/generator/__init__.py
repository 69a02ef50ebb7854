"""One part: generator. One file and one YAML each."""
