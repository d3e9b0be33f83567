// What runs on a remote host while it is worked at: a POSIX shell that carries out one line after the other. Nothing is
// installed there; it needs no more than what every Unix has, and uses what GNU has where it is there.
//
// A line of ours is shell code that calls one of these functions; every answer ends with a mark that nobody else knows.
// Beside the shell a keeper waits: when the connection is lost after something was begun, it puts everything back.

/**
 * The program of that shell, of which `mark` is the first line. fd 3 goes to us, fd 4 to the keeper.
 *
 * Files are put in place as `LocalHost` does it: a temporary file beside, flushed, renamed, the directory flushed.
 */
export const SERVER = String.raw`
# As at home: programs see nothing of who has logged in. A bash that sees SSH_CLIENT reads a start-up file each time.
login=${'$'}{SUDO_USER:-$(id -un)}
for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
  case $name in PATH|PWD|mark|LARGEST) ;; *) unset "$name" 2>/dev/null ;; esac
done
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
mask=$(umask)
umask 077
set -f
n='
'
answer() { status=$1; printf '\n%s %s\n%s\n%s.\n' "$mark" "$1" "$2" "$mark" >&3; }
ask() {
  said=$("$@" 2>&1 >&3 3>&- </dev/null; printf 'x%s' "$?")
  answer "${'$'}{said##*x}" "${'$'}{said%x*}"
}
feed() {
  input=$1
  shift
  ask "$@"
}
bytes() { printf '%b' "$input" 2>/dev/null; }
# The shell itself writes without starting a program; but one alone can say why it could not, in words that are known.
onto() { bytes >"$1" || bytes | cat >"$1"; }
# What is sent ahead of the answers before it is left out once something before it has failed.
failed=
ahead() { behind "$@"; [ "$status" = 0 ] || failed=yes; }
behind() { if [ -n "$failed" ]; then answer 125 'left out'; else "$@"; fi; }
program() { umask "$mask"; command "$@"; }
fed() { bytes | program "$@"; }
fail() { echo "$1" >&2; return 1; }
flush() { sync "$1" 2>/dev/null || sync; }
flush_name() { flush "${'$'}{1%/*}/"; }
owner() { set -- $(ls -ldn "$1"); echo "$3:$4"; }
keep_owner() { owned=$(owner "$1"); [ "$(owner "$2")" = "$owned" ] || chown "$owned" "$2"; }
mode_of() { stat -c %a "$1" 2>/dev/null || stat -f %Mp%Lp "$1"; }
clear() { [ ! -e "$1" ] && [ ! -L "$1" ] || rm -f "$1"; }
regular() {
  if [ -L "$1" ]; then fail "EINVAL $1"
  elif [ -d "$1" ]; then fail "EISDIR $1"
  elif [ -e "$1" ] && [ ! -f "$1" ]; then fail "EINVAL $1"
  fi
}
label() {
  [ ! -e /sys/fs/selinux/enforce ] || [ ! -x /usr/sbin/restorecon ] || /usr/sbin/restorecon "$1" || :
}
in_place() {
  flush "$2" && mv -f "$2" "$1" && flush_name "$1" && return
  rm -f "$2"
  return 1
}
hello() {
  echo "$$"
  id -u
  hostname 2>/dev/null || uname -n
  echo "$login"
  if timeout -s KILL 0.5 true 2>/dev/null; then echo fine
  elif timeout -s KILL 1 true 2>/dev/null; then echo whole
  else echo none
  fi
  date +%s
}
look() {
  if [ -L "$1" ]; then echo l; readlink "$1"; return; fi
  # Nothing is there for sure where its directory can be searched.
  if [ ! -e "$1" ] && [ -x "${'$'}{1%/*}/" ]; then echo a; return; fi
  if ! line=$(ls -ldn "$1" 2>&1); then
    case $line in
      *'No such file'*|*'Not a directory'*) echo a; return ;;
      *) fail "$line" ;;
    esac
    return
  fi
  path=$1
  set -- $line
  echo "$1 $3 $4"
  case $1 in
    d*)
      [ -r "$path" ] && [ -x "$path" ] || fail "Permission denied" || return
      set +f
      for entry in "$path"/* "$path"/.*; do
        name=${'$'}{entry##*/}
        case $name in .|..) continue ;; esac
        [ ! -e "$entry" ] && [ ! -L "$entry" ] || printf '%s\000' "$name"
      done
      ;;
    -*)
      [ "$5" -le "$LARGEST" ] || fail EFBIG || return
      cat "$path"
      ;;
  esac
}
resolve() { ls -dL "$1" >/dev/null && readlink -f "$1"; }
put() { # path, temporary, mode or nothing, owner, group; bytes
  regular "$1" && clear "$2" || return
  if [ -f "$1" ]; then
    mode=${'$'}{3:-$(mode_of "$1")}
    cp --no-dereference --preserve=all --attributes-only "$1" "$2" 2>/dev/null || cp -p "$1" "$2" || return
    keep_owner "$1" "$2" && chmod 600 "$2" || { rm -f "$2"; return 1; }
    old=yes
  else
    mode=${'$'}{3:-0600} old=
    [ "$mode" != 0644 ] || umask 022
  fi
  onto "$2" && own "$2" "$4" "$5" && case $old$mode in 0600|0644) ;; *) chmod "$mode" "$2" ;; esac || { rm -f "$2"; return 1; }
  in_place "$1" "$2" || return
  [ -n "$old" ] || label "$1"
}
own() {
  [ -z "$2" ] || chown "$2" "$1" || return
  [ -z "$3" ] || chgrp "$3" "$1"
}
directory() { # path, mode, owner, group
  made=yes
  if ! words=$(mkdir "$1" 2>&1); then
    [ -d "$1" ] && [ ! -L "$1" ] || fail "$words" || return
    made=
  fi
  own "$1" "$3" "$4" && chmod "$2" "$1" && flush "$1" && flush_name "$1" || return
  [ -z "$made" ] || label "$1"
}
gone() {
  if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$1"
  elif [ -e "$1" ] || [ -L "$1" ]; then rm -f "$1"
  else return 0
  fi && flush_name "$1"
}
copy() { # from, to, temporary
  [ -e "$1" ] || [ -L "$1" ] || fail "No such file or directory" || return
  regular "$1" && regular "$2" && clear "$3" || return
  cp --no-dereference --preserve=all "$1" "$3" 2>/dev/null || cp -p "$1" "$3" || { rm -f "$3"; return 1; }
  keep_owner "$1" "$3" || { rm -f "$3"; return 1; }
  in_place "$2" "$3"
}
add() { # path; bytes
  regular "$1" || return
  new=yes size=0
  if [ -e "$1" ]; then new= size=$(wc -c <"$1"); fi
  if { bytes >>"$1" || { cut_to "$size" "$1"; bytes | cat >>"$1"; }; } && flush "$1"; then
    [ -z "$new" ] || flush_name "$1"
  else
    # Half a line would be taken for a crash, or spoil the next line.
    cut_to "$size" "$1"
    return 1
  fi
}
cut_to() { dd if=/dev/null of="$2" bs=1 seek="$1" 2>/dev/null; }
created() { (set -C && true >"$1") && onto "$1"; }
# Of a claim to a lock: exit 0 where it was taken, 3 where somebody has one.
claimed() { ln "$1" "$2" 2>/dev/null || { [ -e "$2" ] && return 3; ln "$1" "$2"; }; }

note() { bytes >>"$1" || { cut_line "$1"; bytes | cat >>"$1"; } || { cut_line "$1"; return 1; }; }
# The keeper must not meet half a line.
cut_line() { [ -z "$(tail -c 1 "$1")" ] || cut_to $(($(wc -c <"$1") - $(tail -n 1 "$1" | wc -c))) "$1"; }

# What was begun is told in the file "undo" by lines that call these, and undone in reverse.
was_absent() { # path, temporary
  [ "$pass" = paths ] || return 0
  rm -f "$2"
  if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$1"; else rm -f "$1"; fi || bad=yes
}
was_file() { # path, temporary, copy, its temporary
  [ "$pass" != copies ] || rm -f "$3" "$4"
  [ "$pass" = paths ] && [ -f "$3" ] || return 0
  rm -f "$2"
  cmp -s "$1" "$3" && [ "$(mode_of "$1") $(owner "$1")" = "$(mode_of "$3") $(owner "$3")" ] && return
  copy "$3" "$1" "$2" || bad=yes
}
was_directory() { # path, temporary, mode, owner, group
  [ "$pass" = paths ] || return 0
  rm -f "$2"
  directory "$1" "$3" "$4" "$5" || bad=yes
}
# Commands that take back what lasts, before the files go; and those that have the system take the files as they are.
release() { [ "$pass" != release ] || (program "$@") || :; }
settle() { [ "$pass" != settle ] || [ -n "$bad" ] || (program "$@") || :; }
# What stands for the transaction itself: journal, copies, lock, marker, and directories made for it, innermost first.
transaction() {
  case $pass in
    # Without a journal it has not begun, or has ended.
    # Of another run that has come first nothing is ours.
    open) [ ! -e "$3" ] || grep -q "\"pid\":$$," "$3" || return
      if [ -f "$1" ]; then ! grep -q '^{"line":"commit"' "$1"; else [ ! -s "$watched/undo" ]; fi ;;
    tidy)
      rm -f "$1" "$3"
      (set +f; rm -f "$3.$$-"*)
      rmdir "$2" 2>/dev/null
      marker=$4
      shift 4
      for path; do [ ! -d "$path" ] || rmdir "$path" || return; done
      [ -z "$marker" ] || rm -f "$marker"
      ;;
  esac
}
undone() { for pass; do eval "$(sed '1!G;h;$!d' "$watched/undo")"; done; }
rescue() {
  watched=$1
  # Whoever confirms renames it too: one of the two comes first.
  [ "$2" != late ] || mv "$1/armed" "$1/undoing" 2>/dev/null || return
  [ -f "$1/undo" ] && [ -f "$1/transaction" ] || return
  pass=open
  eval "$(cat "$1/transaction")" || { rm -rf "$1"; return; }
  if [ "$2" = late ]; then kill -KILL "$shell"; sleep 1; fi
  undone release
  # Undoing the others may have emptied a directory, or made room on a full disk.
  bad=
  undone paths
  if [ -n "$bad" ]; then bad=; undone paths; fi
  undone settle
  if [ -z "$bad" ]; then
    undone copies
    pass=tidy
    eval "$(cat "$1/transaction")"
  fi
  rm -rf "$1"
}
# A private directory, and what has its name where it could not lie in there.
unstage() {
  name=${'$'}{1##*/}
  (set +f; for at in "${'$'}{1%/*}" /etc /etc/pam.d; do rm -rf "$at/$name" "$at/$name"-* "$at/.$name"*; done)
}
keeper() {
  exec 3>&- >/dev/null 2>&1
  trap '' HUP INT TERM PIPE
  watched= staged=
  while read -r word what; do
    case $word in
      shell) shell=$what ;;
      arm) watched=$what ;;
      free) watched= ;;
      late) [ "$what" != "$watched" ] || { rescue "$watched" late </dev/null; watched=; } ;;
      stage) staged=$what ;;
      stale) [ "$what" != "$staged" ] || kill -KILL "$shell" ;;
      end) break ;;
    esac
  done
  [ -z "$staged" ] || unstage "$staged" </dev/null
  [ -z "$watched" ] || rescue "$watched" lost </dev/null
}
# Not by "ask": what is started here would hold its pipe open.
alarm() { # directory, seconds it may be there, what to tell the keeper of it then
  (
    exec 3>&- </dev/null >/dev/null 2>&1
    left=$2
    while [ -d "$1" ] && [ "$left" -gt 0 ]; do sleep 1; left=$((left - 1)); done
    [ ! -d "$1" ] || echo "$3 $1" >&4
  ) &
}
arm() { # directory, seconds
  if { true >"$1/armed" && true >"$1/undo"; } 2>/dev/null; then answer 0 ''; else answer 1 'No such file or directory'; return; fi
  echo "arm $1" >&4
  alarm "$1" "$2" late
}
stage() { # directory, seconds
  echo "stage $1" >&4
  ask directory "$1" 0700 '' ''
  alarm "$1" "$2" stale
}
free() { echo "free $1" >&4; rm -rf "$1"; }
exec 3>&1
{
  exec 4>&1 >&3
  echo "shell $(exec sh -c 'echo $PPID')" >&4
  trap 'echo end >&4; exit' PIPE
  answer 0 ''
  while IFS= read -r line; do eval "$line"; done
  echo end >&4
} | keeper
`;
