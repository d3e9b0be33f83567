// Which certificate and signature algorithms belong to a key type, and whether an algorithm list of sshd_config allows them.
import {matchesName} from './sshd-config/glob.js';

/** Every algorithm by which a plain key of this type proves itself, best first; RSA keys have several. */
export function plainAlgorithms(keyType: string): string[] {
  return keyType === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [keyType];
}

/** Every certificate algorithm sshd has for a plain key of this type. */
export function certificateAlgorithms(keyType: string): string[] {
  return plainAlgorithms(keyType).map((name) => `${name.replace(/@openssh\.com$/, '')}-cert-v01@openssh.com`);
}

/** The algorithms with which an authority of this key type signs certificates; SHA-1 is not among them. */
export function signatureAlgorithms(keyType: string): string[] {
  return keyType === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [keyType];
}

/**
 * Whether a list leaves one of these algorithms usable. A list may hold patterns, and be relative to sshd's defaults
 * (+ adds, ^ puts first, - takes away), which all have the algorithms asked for here.
 */
export function allowsAny(list: string, algorithms: readonly string[]): boolean {
  if (/^[+^]/.test(list)) return true;
  const patterns = list.replace(/^-/, '').split(',');
  const listed = (name: string) => patterns.some((pattern) => matchesName(pattern, name));
  return algorithms.some((name) => listed(name) !== list.startsWith('-'));
}
