// Renew what is due on a joined host, without a token: certificates, the user CA file, the node's own credential, a node
// record that ends. What a timer calls: where nothing is due it writes nothing and reloads nothing.

import type {UserIdentity} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {lookAt} from '../host/facts.js';
import type {Step} from '../plan/step.js';
import {isPlacement} from './changes.js';
import {forRoot} from './for-root.js';
import type {Tools} from './join.js';
import {settleLabels} from './labels/settle.js';
import type {Ownership} from './ownership.js';
import {readOwnership} from './ownership.js';
import {isPams} from './pam/take-back.js';
import {type Assessment, assess, bringAbout, rehearseChange} from './rejoin.js';
import {type PhaseOf, phases} from './rotation-phases.js';
import type {Scene} from './scene.js';
import type {JoinWish} from './settings.js';
import {speakFor} from './voice.js';

export interface RenewWish {
  readonly dataDir: string;
  /** Only tell what is due. */
  readonly check: boolean;
  /** Put our lines back into the configuration where somebody has taken them out. */
  readonly repair: boolean;
  readonly fewerNames: boolean;
  /** Who speaks for a host that keeps no credential; others need nobody. */
  readonly operator?: UserIdentity;
  readonly reload: boolean;
  readonly reloadCommand?: string;
  readonly checkCommand?: string;
}

export interface Renewal {
  readonly changed: boolean;
  readonly hostname: string;
  readonly cluster: string;
  readonly nodeId: string;
  /** What was due, or with `check` is, a line each; empty when nothing. */
  readonly due: readonly string[];
  /** What is wrong and stays so until it is repaired: files in which our lines were changed, or that lack them. */
  readonly drift: readonly string[];
  /** Files that lacked our lines and have them again. */
  readonly repaired: readonly string[];
  readonly rotation: {readonly host: PhaseOf; readonly openssh: PhaseOf};
}

/** NOT_JOINED on a host that is not; else the host is right in every phase of a rotation when this returns. */
export async function renew(tools: Tools, wish: RenewWish): Promise<Renewal> {
  // Also finishes or undoes what an interrupted run has left.
  const owned = await readOwnership(tools.host, wish.dataDir, tools.report).catch(
    forRoot(tools.host, wish.dataDir),
  );
  if (owned === undefined) throw notJoined();
  const {cluster: name, hostname, proxy, trust} = owned.settings;
  tools.report.heading(`${wish.check ? 'Checking' : 'Renewing'} ${hostname} at ${name}`);
  const again = await settleLabels(tools, asBefore(wish, owned), owned.settings);
  const looking = lookAt(tools.host, again.config, again.dataDir);
  looking.catch(() => undefined);
  const cluster = await tools.connect(proxy, trust);
  try {
    const speak = speakFor(tools, cluster, owned, wish.operator);
    const assessment = await assess(tools, again, cluster, owned, looking, speak, !wish.check);
    if (wish.check) return told(assessment, false, wish);
    for (const path of pathsOf(assessment.drift)) {
      if (!wish.repair) tools.report.warn(`${path} is not as we left it: it lacks our lines, or has others`);
    }
    await rehearseChange(tools, again, assessment);
    return told(assessment, await bringAbout(tools, again, assessment, 'renew'), wish);
  } finally {
    await cluster.close();
  }
}

/** Everything as the record has it. */
function asBefore({dataDir, repair, operator: _, ...wish}: RenewWish, {settings}: Ownership): JoinWish {
  return {
    ...wish,
    dataDir,
    config: settings.config,
    register: settings.registered,
    keepDrift: !repair,
    renamed: repair,
    proveLogins: [],
    dryRun: false,
    replace: false,
  };
}

function told(assessment: Assessment, changed: boolean, {check, repair}: RenewWish): Renewal {
  const {scene, settings, authorities, due, drift, steps, served, renamed, record} = assessment;
  const others = steps.filter((step) => !drift.includes(step)).flatMap((step) => reasonFor(step, scene));
  const further = [
    ...(due.length > 0 ? [] : others),
    ...(served || due.length > 0 || drift.length > 0 ? [] : ['sshd does not serve what was written']),
    ...(renamed && repair ? ['this host has another name than when it joined'] : []),
    ...(record?.wrong === undefined ? [] : [record.wrong]),
  ];
  return {
    changed,
    hostname: settings.hostname,
    cluster: settings.cluster,
    nodeId: settings.nodeId,
    due: check || changed ? [...due, ...further] : [],
    drift: repair && !check ? [] : pathsOf(drift),
    repaired: repair && changed ? pathsOf(drift) : [],
    rotation: phases(authorities),
  };
}

function reasonFor(step: Step, scene: Scene): readonly string[] {
  const [path] = pathsOf([step]);
  if (path === undefined || step.kind !== 'path') return [];
  if (isPams(path)) return [`${path} is not as it was installed`];
  if (isPlacement(step, scene)) return [`${path} names certificates of other host keys than there are now`];
  return [step.to === undefined ? `${path} is needed no more` : `${path} is not as the cluster has it now`];
}

function pathsOf(steps: Assessment['steps']): readonly string[] {
  return steps.flatMap((step) => (step.kind === 'path' ? [step.via ?? step.path] : []));
}

function notJoined(): Failure {
  return new Failure('NOT_JOINED', 'this host is not joined', {
    hint: 'join it first: `agentless join openssh --proxy-server HOST:PORT --token-file FILE`',
  });
}
