// What runs jobs by the clock on a host, and how our own job stands there.

import type {Host} from './host.js';

/** Where things are. Tests have their own. */
export interface SchedulerPlaces {
  /** A directory that exists where systemd runs: sd_booted(3). */
  readonly booted: string;
  readonly systemctl: string;
  /** Unit files of the administrator. */
  readonly units: string;
  /** Where systemd keeps when a persistent timer has run last. */
  readonly stamps: string;
  /** Crontabs with a user's name in each line. */
  readonly crontabs: string;
}

export const SCHEDULER_PLACES: SchedulerPlaces = {
  booted: '/run/systemd/system',
  systemctl: 'systemctl',
  units: '/etc/systemd/system',
  stamps: '/var/lib/systemd/timers',
  crontabs: '/etc/cron.d',
};

export const JOB = 'agentless-renew';
export const TIMER = `${JOB}.timer`;
export const SERVICE = `${JOB}.service`;

export interface TimerState {
  /** It comes up again after a reboot. */
  readonly enabled: boolean;
  readonly active: boolean;
  /** Seconds until its next run; undefined where there is none. */
  readonly next: number | undefined;
  /** Seconds since its last run. */
  readonly last: number | undefined;
  /** How the last run ended as systemd calls it ("exit-code", "timeout", …); undefined: well, or not yet. */
  readonly failure: string | undefined;
  /** Its exit status, where it has failed by one. */
  readonly status: number | undefined;
}

export interface Schedulers {
  /** Undefined where systemd does not run. */
  readonly systemd: TimerState | undefined;
  /** A cron that reads `crontabs`; undefined where there is none. */
  readonly cron: 'running' | 'stopped' | undefined;
}

// systemctl formats times in the zone of TZ. BusyBox's crond reads other files.
const SCRIPT = `
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin
if [ -d "$1" ]; then
  echo systemd
  date +Now=%s
  TZ=UTC "$2" show --property=UnitFileState,ActiveState,NextElapseUSecRealtime,LastTriggerUSec "$4"
  "$2" show --property=Result,ExecMainStatus "$5"
fi
[ -d "$3" ] || exit 0
for name in cron crond fcron; do
  program=$(command -v "$name") || continue
  case $(readlink -f "$program") in *busybox*) continue ;; esac
  echo cron
  grep -qsx "$name" /proc/[0-9]*/comm && echo running
done
exit 0
`;

/** Looks; changes nothing. */
export async function lookAtSchedulers(
  host: Host,
  {booted, systemctl, crontabs}: SchedulerPlaces = SCHEDULER_PLACES,
): Promise<Schedulers> {
  const words = [booted, systemctl, crontabs, TIMER, SERVICE];
  const {stdout} = await host.run(['/bin/sh', '-c', SCRIPT, 'sh', ...words]);
  return readSchedulers(stdout);
}

/** The pure half. */
export function readSchedulers(text: string): Schedulers {
  const lines = text.split('\n');
  const value = (name: string) =>
    lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const cron = lines.includes('running') ? 'running' : 'stopped';
  return {
    systemd: lines.includes('systemd') ? readTimer(value) : undefined,
    cron: lines.includes('cron') ? cron : undefined,
  };
}

function readTimer(value: (name: string) => string): TimerState {
  const now = Number(value('Now'));
  const seconds = (name: string) => {
    // "Wed 2026-11-25 18:47:55 UTC"; "n/a", nothing or 0 where there is none.
    const [, date, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(value(name)) ?? [];
    return date === undefined ? undefined : Date.parse(`${date}T${time}Z`) / 1000 - now;
  };
  const active = value('ActiveState') === 'active';
  const [next, last] = [seconds('NextElapseUSecRealtime'), seconds('LastTriggerUSec')];
  const failed = !['', 'success'].includes(value('Result'));
  return {
    enabled: value('UnitFileState') === 'enabled',
    active,
    next: active && next !== undefined ? Math.max(0, next) : undefined,
    last: last === undefined ? undefined : Math.max(0, -last),
    failure: failed ? value('Result') : undefined,
    status: value('Result') === 'exit-code' ? Number(value('ExecMainStatus')) : undefined,
  };
}

/** Gives a timer ($3) back its state of before, once the files are back: enabled ($5), active ($6). */
const AS_BEFORE = `
[ -d "$1" ] || exit 0
"$2" daemon-reload || exit
if [ ! -e "$4/$3" ]; then rm -f "$4/timers.target.wants/$3"; set -- "$1" "$2" "$3" "$4" '' no
elif [ "$5" = yes ]; then "$2" enable "$3" || exit
else "$2" disable "$3" || exit
fi
[ "$6" = no ] || exec "$2" restart "$3"
! "$2" --quiet is-active "$3" || exec "$2" stop "$3"
`;

/** A unit whose file is gone already cannot be disabled any more; what enabling has left is still there. */
const OFF = `
if [ -d "$1" ] && [ -e "$4/$3" ]; then "$2" disable --now "$3" || exit
elif [ -d "$1" ]; then "$2" stop "$3" 2>/dev/null
fi
exec rm -f "$4/timers.target.wants/$3" "$5/stamp-$3"
`;

const RELOAD = `[ ! -d "$1" ] || exec "$2" daemon-reload`;

/** The commands that a timer needs. Those that take something back work as well where that is done already. */
export function timerCommands({booted, systemctl, units, stamps}: SchedulerPlaces) {
  const script = (text: string, ...words: string[]) => [
    '/bin/sh',
    '-c',
    text,
    'sh',
    booted,
    systemctl,
    ...words,
  ];
  const word = (yes: boolean) => (yes ? 'yes' : 'no');
  return {
    reload: [systemctl, 'daemon-reload'],
    enable: [systemctl, 'enable', '--now', TIMER],
    restart: [systemctl, 'restart', TIMER],
    off: script(OFF, TIMER, units, stamps),
    forget: script(RELOAD),
    asBefore: ({enabled, active}: Pick<TimerState, 'enabled' | 'active'>) =>
      script(AS_BEFORE, TIMER, units, word(enabled), word(active)),
  };
}
