"""One part: decoder. One file and one YAML each."""
