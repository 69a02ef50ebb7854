"""What goes wrong in a run, one file each; conf/callback/health.yaml lists them."""
