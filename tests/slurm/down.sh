#!/usr/bin/env bash
# Ends what up.sh started in FOLDER, and the jobs that still run there.
HERE=$(realpath -m "$1")
export SLURM_CONF="$HERE/slurm.conf"
MUNGE=$(cat "$HERE/munge/socket_folder" 2> /dev/null)
scancel --user="$(id -un)" --signal=KILL 2> /dev/null
for file in "$HERE"/slurmd-*.pid "$HERE/slurmctld.pid" "$MUNGE/pid"; do
  [ -s "$file" ] && kill "$(cat "$file")" 2> /dev/null
done
rm -rf "$MUNGE"
exit 0
