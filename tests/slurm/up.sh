#!/usr/bin/env bash
# Starts a real SLURM of this machine for the tests, as root, wholly inside FOLDER: its own configuration, munge
# key and ports, so that it touches no other cluster of the machine. Prints nothing; ends when it is ready.
# Two nodes, one and two. Partitions: low (default) and abrupt on one, which high preempts, with and without
# grace; both has both nodes. No accounting: ganvas does not ask for it.
#
#   apt-get install -y --no-install-recommends slurm-wlm munge
#   tests/slurm/up.sh FOLDER      then: export SLURM_CONF=FOLDER/slurm.conf
#   tests/slurm/down.sh FOLDER
set -euo pipefail
HERE=$(realpath -m "$1")
HOST=$(hostname -s) MEMORY=$(awk '/MemTotal/{print int($2/1024*0.9)}' /proc/meminfo)
trap '"$(dirname "$0")/down.sh" "$HERE"' ERR
mkdir -p "$HERE"/{munge,state,spool-one,spool-two,log}
PORT=$(python3 - <<'PY'
import socket
for port in range(21000, 29000, 10):  # three free ports in a row: the controller's and the nodes'
    try:
        for one in (port, port + 1, port + 2):
            with socket.socket() as tried:
                tried.bind(("127.0.0.1", one))
        print(port)
        break
    except OSError:
        pass
PY
)

# munge says who sends a message. Its socket's path must be short.
chmod 700 "$HERE/munge"
[ -s "$HERE/munge/key" ] || (umask 077 && head -c 1024 /dev/urandom > "$HERE/munge/key")
MUNGE=$(mktemp -d /run/ganvas-munge.XXXXXX) && chmod 755 "$MUNGE" && echo "$MUNGE" > "$HERE/munge/socket_folder"
munged --key-file="$HERE/munge/key" --socket="$MUNGE/socket" --pid-file="$MUNGE/pid" \
  --log-file="$HERE/log/munged" --seed-file="$HERE/munge/seed" --force 2>> "$HERE/log/munged"

cat > "$HERE/slurm.conf" <<CONF
ClusterName=ganvas
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$MUNGE/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MailProg=/bin/true
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
SlurmctldPort=$PORT
SlurmctldPidFile=$HERE/slurmctld.pid
SlurmdPidFile=$HERE/slurmd-%n.pid
SlurmctldLogFile=$HERE/log/slurmctld
SlurmdLogFile=$HERE/log/slurmd-%n
SlurmdSpoolDir=$HERE/spool-%n
StateSaveLocation=$HERE/state
KillWait=5
Waittime=0
NodeName=one NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT + 1)) CPUs=2 RealMemory=$MEMORY State=UNKNOWN
NodeName=two NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT + 2)) CPUs=2 RealMemory=$MEMORY State=UNKNOWN
PartitionName=low Nodes=one Default=YES PriorityTier=1 GraceTime=20
PartitionName=abrupt Nodes=one PriorityTier=1 GraceTime=0
PartitionName=high Nodes=one PriorityTier=2 PreemptMode=OFF
PartitionName=both Nodes=one,two PriorityTier=1
CONF
export SLURM_CONF="$HERE/slurm.conf"
slurmctld -c
slurmd -N one
slurmd -N two
for _ in $(seq 100); do
  [ "$(sinfo -h -N -p both -o %t 2> /dev/null | grep -cx idle)" = 2 ] && exit 0
  sleep 0.1
done
tail -n 20 "$HERE/log/"* >&2
false
