// What a cluster says about itself to anybody: GET /webapi/find.

import type {ClusterInfo, SignatureSuite} from './cluster.js';
import {type Deadline, retry} from './deadline.js';
import {checkVersion} from './version.js';
import type {WebConnection} from './web-connection.js';
import {notTeleport} from './web-connection.js';
import {field, Refused, readAnswer} from './web-status.js';

/** Asks, and fails with VERSION_UNSUPPORTED for a cluster that cannot be joined. `proxy` is the address dialled. */
export async function find(web: WebConnection, proxy: string, deadline: Deadline): Promise<ClusterInfo> {
  return retry(deadline, async () => {
    const answer = await web.request({method: 'GET', path: '/webapi/find', repeatable: true}, deadline);
    try {
      return readFind(readAnswer(answer, proxy), proxy);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw notTeleport(`${proxy} does not tell which cluster it belongs to (status ${error.status})`);
    }
  });
}

/** Reads the body of an answer. */
export function readFind(json: Readonly<Record<string, unknown>>, proxy: string): ClusterInfo {
  const [name, version, oldest] = [json['cluster_name'], json['server_version'], json['min_client_version']];
  if (typeof name !== 'string' || typeof version !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(name)) {
    throw notTeleport(`${proxy} answers, but does not tell the name and version of a Teleport cluster`);
  }
  checkVersion(version, typeof oldest === 'string' ? oldest : undefined);
  return {
    name,
    version,
    suite: readSuite(field(json['auth'], 'signature_algorithm_suite')),
    proxy,
    tlsRouting: field(json['proxy'], 'tls_routing_enabled') === true,
  };
}

const SUITES: readonly SignatureSuite[] = ['legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'];

/** A name or a number of the enumeration; unspecified is legacy, and one that came after us is not. */
function readSuite(value: unknown): SignatureSuite {
  if (value === undefined || value === null || value === '' || value === 0) return 'legacy';
  const suite = typeof value === 'number' ? SUITES[value - 1] : SUITES.find((known) => known === value);
  return suite ?? 'balanced-v1';
}
