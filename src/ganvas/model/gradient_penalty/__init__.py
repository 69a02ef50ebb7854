"""One part: gradient penalty. One file and one YAML each."""
