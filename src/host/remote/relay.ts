// What connects to a port on a host whose sshd forwards nothing: an ordinary command there, with what the host has. Its
// standard input and output are the connection, from a mark on: before it a login shell may have said something.

/** Its exit status where there is nothing to connect with. */
export const NO_RELAY = 127;

/** What it needs one of. */
export const RELAYS = 'perl, bash 4.3 or nc';

/** The mark with this is told once the connection is made, before anybody has to speak. */
export const MADE = 'made';

/**
 * The program: `mark`, `host` and `port` are set by a line before it. When either end is over, all of it is: a connection
 * that is left half open would be one of those that sshd counts. Nothing of the login's environment is seen, for a bash that
 * thinks it was called by sshd reads a start-up file.
 */
export const RELAY = String.raw`
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
clean() { env -i PATH="$PATH" LC_ALL=C "$@"; }
if clean perl -MSocket=getaddrinfo -e 1 2>/dev/null; then
  exec env -i PATH="$PATH" LC_ALL=C perl -e '
    use Socket qw(getaddrinfo SOCK_STREAM);
    my ($mark, $host, $port) = @ARGV;
    my ($error, @found) = getaddrinfo($host, $port, {socktype => SOCK_STREAM});
    my $peer;
    for (@found) {
      socket(my $one, $_->{family}, SOCK_STREAM, 0) or next;
      if (connect($one, $_->{addr})) { $peer = $one; last }
    }
    $peer or die sprintf("%s port %s: %s\n", $host, $port, $error || $!);
    syswrite STDOUT, "\n$mark made\n";
    my $both = "";
    vec($both, fileno $_, 1) = 1 for \*STDIN, $peer;
    while (1) {
      select(my $ready = $both, undef, undef, undef) > 0 or next;
      for ([\*STDIN, $peer], [$peer, \*STDOUT]) {
        my ($from, $to) = @$_;
        vec($ready, fileno $from, 1) or next;
        sysread($from, my $bytes, 65536) or exit;
        while (length $bytes) { substr($bytes, 0, syswrite($to, $bytes) || exit) = "" }
      }
    }
  ' -- "$mark" "$host" "$port"
elif clean bash --norc -c '((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 403))' 2>/dev/null; then
  exec env -i PATH="$PATH" LC_ALL=C bash --norc -c '
    exec 3<>"/dev/tcp/$2/$3" 4<&0 || exit
    printf "\n%s made\n" "$1"
    cat <&3 &
    cat <&4 >&3 2>/dev/null &
    wait -n
    kill $(jobs -pr) 2>/dev/null
  ' bash "$mark" "$host" "$port"
fi
# Of the many that there are, some have to be told that the end of their input is the end.
help=$(clean nc -h 2>&1 </dev/null)
case $? in 126|127) exit 127 ;; esac
end=
if printf '%s\n' "$help" | grep -q '^[[:space:]]*-N[[:space:]]'; then end=-N
elif printf '%s\n' "$help" | grep -q '^[[:space:]]*-q [a-z]'; then end='-q 0'
fi
printf '\n%s\n' "$mark"
exec env -i PATH="$PATH" LC_ALL=C nc $end "$host" "$port"
`;
