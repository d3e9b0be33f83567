// The bodies of /webapi/find and /webapi/ping, shaped like those of 18.0.0.

import type {Context} from './context.js';
import {oldestClient} from './version.js';

export function findBody(context: Context): Record<string, unknown> {
  const auth = {type: '', private_key_policy: '', piv_slot: '', piv_pin_cache_ttl: 0, device_trust: {}};
  const times = {has_motd: false, default_session_ttl: '0s'};
  return body(context, {...auth, ...times, ...suite(context)});
}

export function pingBody(context: Context): Record<string, unknown> {
  const auth = {
    type: 'local',
    second_factor: 'otp',
    preferred_local_mfa: 'otp',
    local: {name: ''},
    private_key_policy: 'none',
    piv_slot: '',
    piv_pin_cache_ttl: 0,
    device_trust: {disabled: true},
    has_motd: false,
    default_session_ttl: '12h0m0s',
    ...suite(context),
  };
  return body(context, auth);
}

const suite = ({cluster}: Context) => ({signature_algorithm_suite: cluster.suite});

function body(context: Context, auth: object): Record<string, unknown> {
  const {version, cluster} = context;
  const address = context.publicAddress();
  const reply = {
    auth,
    proxy: {
      kube: {enabled: true, listen_addr: address},
      ssh: {
        listen_addr: address,
        tunnel_listen_addr: address,
        web_listen_addr: address,
        public_addr: address,
        dial_timeout: 30_000_000_000,
      },
      db: {postgres_listen_addr: address, mysql_listen_addr: address},
      tls_routing_enabled: true,
    },
    server_version: version,
    min_client_version: oldestClient(version),
    auto_update: {
      tools_version: version,
      tools_auto_update: false,
      agent_version: version,
      agent_auto_update: false,
      agent_update_jitter_seconds: 60,
    },
    cluster_name: cluster.name,
    automatic_upgrades: false,
    edition: 'oss',
    fips: false,
  };
  return context.hooks.testOnlyFind?.(reply) ?? reply;
}
