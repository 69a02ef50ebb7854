"""One part: augment. One file and one YAML each."""
