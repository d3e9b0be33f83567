// The record of this host's join, as it stands: what an interrupted run has left is not cleared up for the sake of looking.

import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import {readRecord} from '../../plan/record.js';
import {forRoot} from '../for-root.js';
import type {Membership} from '../ownership.js';
import {readSettings} from '../settings.js';

/** NOT_JOINED where there is none; `hint` is what to do then. */
export async function thisHost(host: Host, dataDir: string, hint: string): Promise<Membership> {
  const record = await readRecord(host, dataDir).catch(forRoot(host, dataDir));
  const settings = record && readSettings(record.settings);
  if (record !== undefined && settings !== undefined) return {record, settings};
  throw new Failure('NOT_JOINED', 'this host is not joined', {hint});
}
