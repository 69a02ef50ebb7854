"""One part: quantizer. One file and one YAML each."""
