"""Metrics of a generator's samples; each file is one option of conf/metric/samples."""
