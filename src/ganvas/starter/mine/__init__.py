"""Parts of this project: each file is one, and each has a YAML of the same path under conf/."""
