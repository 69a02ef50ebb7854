"""One part: schedule. One file and one YAML each."""
