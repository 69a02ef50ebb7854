"""One part: regularizer. One file and one YAML each."""
