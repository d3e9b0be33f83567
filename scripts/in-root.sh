#!/bin/sh
# Runs words in a throw-away copy of a root directory, in the directory of this repository there. For root:
#
#   unshare --mount --propagation private sh scripts/in-root.sh enter|boot ROOT WORK NODE WORD…
#
# The copy is an overlay that keeps its changes in memory: ROOT, which may be / itself, stays as it is. All is mounted on
# WORK, an empty directory, in the private namespace of the caller, and is gone with it. The node program and this
# repository (read-only) are mounted into the copy, because no ROOT has them.
#   enter   by pivot_root: the sshd, ssh and libraries of ROOT are all there is
#   boot    by systemd in a container whose only network is its loopback; the words run as a unit, which ends it
# OPENSSH_PREFIX names where a build of OpenSSH was installed (sbin/sshd, bin/ssh, etc/sshd_config); its programs and its
# stock configuration then take the place of ROOT's own.
set -eu
mode=$1 lower=$2 work=$3 node=$4
shift 4
repository=$(cd "$(dirname "$0")/.." && pwd)
root=$work/root

mount -t tmpfs -o mode=0755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$root"
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" overlay "$root"

mkdir -p "$root/srv/agentless"
mount --bind "$repository" "$root/srv/agentless"
mount -o remount,bind,ro "$root/srv/agentless"
rm -f "$root/usr/bin/node"
touch "$root/usr/bin/node"
mount --bind "$node" "$root/usr/bin/node"

if [ -n "${OPENSSH_PREFIX-}" ]; then
  cp "$OPENSSH_PREFIX"/sbin/sshd "$root/usr/sbin/"
  cp "$OPENSSH_PREFIX"/bin/ssh* "$root/usr/bin/"
  mkdir -p "$root/usr/share/openssh"
  cp "$OPENSSH_PREFIX/etc/sshd_config" "$root/usr/share/openssh/"
fi

# A root that was made from packages alone does not know itself.
grep -qs localhost "$root/etc/hosts" || echo 127.0.0.1 localhost >>"$root/etc/hosts"

path=/usr/sbin:/usr/bin:/sbin:/bin
case $mode in
enter)
  for at in proc tmp run; do mkdir -p "$root/$at"; done
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mount -t tmpfs -o mode=0755 tmpfs "$root/run"
  # Not chroot, for whoever enters this namespace by nsenter would be outside of it.
  mkdir "$root/before"
  pivot_root "$root" "$root/before"
  cd /srv/agentless
  umount -l /before
  # Not exec: this shell is process 1 of its namespace and has to reap what daemons leave behind.
  env -i PATH=$path HOME=/root USER=root "$@"
  ;;
boot)
  {
    printf '#!/bin/sh\ncd /srv/agentless\nexport HOME=/root DISPOSABLE_MACHINE=yes\n'
    for word; do printf "'%s' " "$word"; done
    printf '>/matrix.log 2>&1\necho $? >/matrix.status\n'
  } >"$root/matrix.sh"
  cat >"$root/etc/systemd/system/matrix.service" <<'UNIT'
[Unit]
Wants=ssh.service
After=ssh.service
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/sh /matrix.sh
TimeoutStartSec=300
UNIT
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -s ../matrix.service "$root/etc/systemd/system/multi-user.target.wants/matrix.service"
  echo 1 >"$root/matrix.status"
  # systemd from 258 on knows cgroups v2 only, and this machine may have both.
  export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
  systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --console=pipe \
    --machine="matrix-$$" --directory="$root" </dev/null >"$work/console" 2>&1 || true
  cat "$root/matrix.log" 2>/dev/null || cat "$work/console"
  exit "$(cat "$root/matrix.status")"
  ;;
esac
