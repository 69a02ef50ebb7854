"""How files are damaged: by their structure, or by their bytes."""
