"""One part: optimizer. One file and one YAML each."""
