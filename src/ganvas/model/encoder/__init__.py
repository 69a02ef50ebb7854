"""One part: encoder. One file and one YAML each."""
