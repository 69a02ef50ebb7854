"""One part: adversarial loss. One file and one YAML each."""
