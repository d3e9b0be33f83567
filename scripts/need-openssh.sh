#!/bin/sh
# The demo and the tests use a real sshd and a real ssh. Where they are missing: installed as root on Debian and Ubuntu,
# else one clear line says what to install.
set -eu
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
missing=
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
command -v ssh >/dev/null 2>&1 && command -v ssh-keyscan >/dev/null 2>&1 || missing="$missing openssh-client"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing$missing" >&2
  # A package would start the daemon of this machine; nothing here needs that.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ]; then made=$policy; printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 0755 "$policy"; fi
  trap '[ -z "$made" ] || rm -f "$made"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  { apt-get update && apt-get install -y --no-install-recommends $missing; } >/dev/null 2>&1 || {
    echo "error: apt-get could not install$missing; install them and try again" >&2
    exit 1
  }
else
  echo "error: please install$missing first (Fedora and RHEL: openssh-server openssh-clients)" >&2
  exit 1
fi
