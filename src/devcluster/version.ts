// Teleport's version rule: a server takes clients of its own major version and of the one before.

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly preRelease: string;
}

const SEMVER = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch, preRelease = ''] = SEMVER.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return {major: Number(major), minor: Number(minor), patch: Number(patch), preRelease};
}

/** The oldest client a server takes: "17.0.0-aa" for 18.x. */
export function oldestClient(server: string): string {
  return `${(parseVersion(server)?.major ?? 1) - 1}.0.0-aa`;
}

/** A client that does not say is not checked; one that says nonsense is refused. */
export function acceptsClient(server: string, client: string | undefined): boolean {
  if (client === undefined) return true;
  const version = parseVersion(client);
  const least = (parseVersion(server)?.major ?? 1) - 1;
  if (version === undefined || version.major < least) return false;
  const atEdge = version.major === least && version.minor === 0 && version.patch === 0;
  return !atEdge || version.preRelease === '' || version.preRelease >= 'aa';
}

/** As the proxy spells its version in a 404. */
export function describeVersion(server: string): object {
  const {major, minor, patch, preRelease} = parseVersion(server) ?? {
    major: 0,
    minor: 0,
    patch: 0,
    preRelease: '',
  };
  return {major, minor, patch, preRelease, string: server};
}
