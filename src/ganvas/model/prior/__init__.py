"""One part: prior. One file and one YAML each."""
