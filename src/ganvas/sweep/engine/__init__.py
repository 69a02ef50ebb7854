"""What runs the jobs of a sweep: processes of this machine, SLURM, Ray."""
