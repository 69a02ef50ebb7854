"""``ganvas pipeline``: stages composed and checked, run one behind the other, gone on with."""
