#!/bin/sh
# A host with a root, processes, a name and a network of its own, until standard input ends. For root:
#
#   unshare --net --mount --pid --uts --ipc --fork --kill-child --propagation private sh far-host.sh UNIT ROOT WORK NAME
#
# Its root is an overlay over ROOT, the root directory of a Debian release, that keeps its changes in memory on WORK, an
# empty directory. This shell is process 1: when it ends, so does every process, mount and network in there.
#   UNIT  "none": the sshd of the release is started as it comes; or a unit that systemd, booted in a container, has enabled
set -eu
unit=$1 lower=$2 work=$3 name=$4
root=$work/root

mount -t tmpfs -o mode=0755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$root"
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" overlay "$root"

# What an installer does, and a root that was made from packages alone has not been through.
hostname "$name"
echo "$name" >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$root/etc/hosts"
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" ssh-keygen -A >/dev/null
touch "$root/var/log/wtmp" "$root/var/log/btmp" "$root/var/log/lastlog"

# Kept, for a shell gives a background process no standard input else.
exec 3<&0
case $unit in
none)
  for at in proc sys dev run tmp; do mkdir -p "$root/$at"; done
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
  for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
  done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mount -t tmpfs -o mode=0755 tmpfs "$root/run"
  # Not chroot, for whoever enters this namespace by nsenter would be outside of it.
  mkdir "$root/before"
  cd "$root"
  pivot_root . before
  umount -l /before
  rmdir /before
  mkdir -m 0755 /run/sshd
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/sshd
  echo ready
  # A shell that waits for one process reaps all that end meanwhile.
  cat <&3 >/dev/null &
  wait $!
  ;;
*)
  mount -t proc proc /proc
  chroot "$root" systemctl --quiet disable ssh.service ssh.socket
  chroot "$root" systemctl --quiet enable "$unit"
  # Several of them may not share a cgroup; systemd from 258 on knows v2 only, and this machine may have both.
  export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
  groups=$(awk -v name="$name" '$3 == "cgroup2" || $3 == "cgroup" && $4 ~ /name=systemd/ { print $2 "/" name }' /proc/mounts)
  for group in $groups; do mkdir "$group"; done
  (
    for group in $groups; do echo 0 >"$group/cgroup.procs"; done
    exec systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --console=pipe --resolv-conf=off \
      --timezone=off --machine="$name" --directory="$root" </dev/null >&2
  ) &
  echo ready
  cat <&3 >/dev/null &
  wait $!
  # All but this shell, which then has to reap them: a cgroup is in use until its last process is.
  kill -KILL -1
  for turn in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.2
    find $groups -depth -type d -exec rmdir {} + 2>/dev/null && break
  done
  ;;
esac
