#!/usr/bin/env bash
# A Slurm of one node, without systemd and accounting, whose every file lies in one folder.
#   slurm.sh start FOLDER PORT    two ports from PORT on; then SLURM_CONF=FOLDER/slurm.conf sbatch ...
#   slurm.sh stop FOLDER
set -euo pipefail
export PATH="$PATH:/usr/sbin"
folder=$2
export SLURM_CONF=$folder/slurm.conf

configure() {
    mkdir -p "$folder"/{state,spool}
    chmod 755 "$folder"
    head -c 1024 /dev/urandom >"$folder/munge.key"
    chmod 400 "$folder/munge.key"
    # Version 22.05 has no CgroupPlugin=disabled; v1 is loaded, and nothing uses it.
    echo CgroupPlugin=cgroup/v1 >"$folder/cgroup.conf"
    cat >"$SLURM_CONF" <<END
ClusterName=tests
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$(($1 + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2
KillWait=5
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
END
}

start() {
    configure "$1"
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
    slurmctld
    slurmd
    for _ in {1..100}; do
        [ "$(sinfo --noheader --format=%T)" = idle ] && return
        sleep 0.1
    done
    cat "$folder"/*.log >&2
    return 1
}

stop() {
    scancel --user="$(id -un)" || true
    for _ in {1..100}; do # the steps of jobs outlive slurmd
        [ -z "$(squeue --noheader)" ] && break
        sleep 0.1
    done
    for each in slurmctld slurmd munged; do
        [ -s "$folder/$each.pid" ] || continue
        id=$(cat "$folder/$each.pid")
        for _ in {1..100}; do
            kill "$id" 2>/dev/null || break
            sleep 0.1
        done
    done
}

"$1" "${@:3}"
