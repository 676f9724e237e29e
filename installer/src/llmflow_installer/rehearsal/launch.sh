#!/bin/sh
# launch.sh CGROUP MOUNTS NODE COMMAND...
# Run COMMAND (systemd-nspawn) in cgroup CGROUP, seen from a cgroup and mount namespace of its own, with
# NODE/root an overlay of NODE/upper over NODE/base. MOUNTS lists the machine's cgroup hierarchies, a line
# "mountpoint fstype options" each. Every mount made here lives in the private namespace: when the last
# process ends, nothing is left to unmount.
# One cgroup namespace per node: with the machine's whole tree bound into every node, all kubelets share one
# kubepods tree and each watches every container of all nodes.
set -eu
cgroup=$1 mounts=$2 node=$3
shift 3

while read -r mountpoint _; do
  mkdir -p "$mountpoint/$cgroup"
  if [ -e "$mountpoint/cpuset.cpus" ]; then  # cgroup v1: a fresh cpuset holds no processor and takes no process
    cat "$mountpoint/cpuset.cpus" > "$mountpoint/$cgroup/cpuset.cpus"
    cat "$mountpoint/cpuset.mems" > "$mountpoint/$cgroup/cpuset.mems"
    echo 1 > "$mountpoint/$cgroup/cgroup.clone_children"
  fi
  echo $$ > "$mountpoint/$cgroup/cgroup.procs"
done < "$mounts"

export LAUNCH_MOUNTS="$mounts" LAUNCH_NODE="$node"
exec unshare --cgroup --mount --propagation private sh -euc '
  node=$LAUNCH_NODE
  mount -t overlay overlay -o "lowerdir=$node/base,upperdir=$node/upper,workdir=$node/work" "$node/root"
  mount -t tmpfs -o mode=755 tmpfs "$node/cgroup"
  while read -r mountpoint fstype options; do
    if [ "$mountpoint" = /sys/fs/cgroup ]; then  # unified hierarchy only
      mount -t "$fstype" "$fstype" "$node/cgroup"
    else
      mkdir "$node/cgroup/${mountpoint##*/}"
      mount -t "$fstype" -o "$options" "$fstype" "$node/cgroup/${mountpoint##*/}"
    fi
  done < "$LAUNCH_MOUNTS"
  mount --rbind "$node/cgroup" /sys/fs/cgroup
  exec "$@"
' launch "$@"
