import {execFile} from 'node:child_process';

/** Everything that a listening sshd shows to ssh-keyscan, plain keys and certificates, as "type base64". */
export async function servedKeys(port: number): Promise<ReadonlySet<string>> {
  const scans = await Promise.all([scan(port, []), scan(port, ['-c'])]);
  return new Set(scans.flat());
}

function scan(port: number, words: readonly string[]): Promise<string[]> {
  return new Promise((resolve) => {
    const argv = [...words, '-T', '5', '-t', 'ed25519,ecdsa', '-p', String(port), '127.0.0.1'];
    execFile('ssh-keyscan', argv, (_, stdout) => {
      const keys = stdout
        .split('\n')
        .flatMap((line) => /(?:ssh|ecdsa-sha2)-\S+ AAAA\S+/.exec(line)?.[0] ?? []);
      resolve(keys.filter((key) => !key.startsWith('#')));
    });
  });
}
