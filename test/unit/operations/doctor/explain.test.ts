import {expect} from 'chai';
import {explain} from '../../../../src/operations/doctor/explain.js';

/** What Teleport 18.0.0 and OpenSSH print, as it was collected. */
const TEXTS: readonly (readonly [where: string, text: string])[] = [
  ['proxy', 'ERROR: access denied to root connecting to web1:0'],
  ['proxy', 'ssh: no authorities for hostname: web1:0@default@cli.example'],
  [
    'host certificate',
    'ssh: rejected: connect failed (ssh: handshake failed: ssh: no authorities for hostname: fresh1:0)',
  ],
  [
    'host certificate',
    'channel 0: open failed: connect failed: ssh: principal "manual1" not in the set of valid principals for given certificate: ["0b9c.cli.example" "0b9c"]',
  ],
  [
    'host certificate',
    'ssh: handshake failed: remote host presented a public key, expected a host certificate',
  ],
  ['host certificate', 'Certificate invalid: name is not a listed principal'],
  ['host certificate', 'Certificate invalid: expired'],
  ['host certificate', "The authenticity of host 'web1 (10.0.0.5)' can't be established."],
  [
    'user CA',
    'ssh: rejected: connect failed (ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain)',
  ],
  ['user CA', 'ssh: unexpected packet in response to channel open: <nil>'],
  ['user CA', 'user_cert_trusted_ca: CA ED25519 SHA256:9sVd is not listed in /etc/ssh/ca'],
  ['sshd', 'User deploy from 10.0.0.1 not allowed because not listed in AllowUsers'],
  ['sshd', 'ROOT LOGIN REFUSED FROM 10.0.0.1 port 22'],
  ['sshd', 'error: Certificate does not contain an authorized principal'],
  ['sshd', 'certificate signature algorithm ssh-ed25519: signature algorithm not supported'],
  ['sshd', 'certificate signature algorithm not in CASignatureAlgorithm: signature algorithm not supported'],
  ['sshd', 'Invalid user ghost from 10.0.0.1 port 4711'],
  ['node', 'failed to dial target host\n\tdirect dialing to nodes not found in inventory is not supported'],
  ['node', 'err-node-is-ambiguous\n\tambiguous host could match multiple nodes'],
  [
    'network',
    'failed to dial target host\n\tTeleport proxy failed to connect to "node" agent "vm" over direct dial:\n\tdial tcp 10.0.0.5:22: connect: connection refused',
  ],
  ['network', 'dial tcp 10.0.0.5:22: i/o timeout'],
  ['identity', 'tls: failed to verify certificate: x509: certificate signed by unknown authority'],
  ['identity', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'],
  ['identity', 'ssl3_read_bytes:tlsv1 alert unknown ca: SSL alert number 48'],
  ['identity', 'Error: ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED'],
  ['identity', 'ssl3_read_bytes:sslv3 alert certificate expired: SSL alert number 45'],
  ['identity', 'remote error: tls: expired certificate'],
  ['identity', 'Error: ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
  ['identity', 'ssl3_read_bytes:tlsv13 alert certificate required: SSL alert number 116'],
  ['identity', 'remote error: tls: certificate required'],
  ['user', 'ERROR: failed to dial target host\n\tlooking up remote cluster "x"\n\t\tnot found'],
  [
    'sshd',
    'userauth_pubkey: signature algorithm ssh-ed25519-cert-v01@openssh.com not in PubkeyAcceptedAlgorithms',
  ],
  ['user', 'alice@web1: Permission denied (publickey).'],
  ['user', 'channel 0: bad ext data'],
  ['user', 'dial target contains an invalid hostport'],
];

describe('what people see at login', () => {
  for (const [where, text] of TEXTS) {
    it(`means the ${where}: ${text.split('\n')[0]?.slice(0, 80)}`, () => {
      const found = explain(text);
      expect(found.map((one) => one.where)).to.deep.equal([where]);
      expect(found[0]?.seen).to.not.equal('');
      expect(found[0]?.fix).to.not.equal('');
    });
  }

  it('is no fault of the host where a proxy shows what it has kept from before a rotation', () => {
    expect(explain('access denied to root connecting to web1:0')[0]?.fix).to.match(
      /^nothing to fix on this host: restart the proxies/,
    );
  });

  it('tells an identity that has expired from one that is missing, and one of before a rotation', () => {
    const meaning = (text: string) => explain(text)[0]?.meaning;
    expect(meaning('SSL alert number 45')).to.match(/has expired/);
    expect(meaning('SSL alert number 116')).to.match(/^no certificate was shown/);
    expect(meaning('SSL alert number 48')).to.match(/before a rotation/);
  });

  it('does not take the algorithm of a user for that of the authority', () => {
    const text = 'signature algorithm ssh-ed25519-cert-v01@openssh.com not in PubkeyAcceptedAlgorithms';
    expect(explain(text)[0]?.meaning).to.match(/^PubkeyAcceptedAlgorithms leaves out/);
  });

  it('may be several things at once, each told once', () => {
    const text = `${TEXTS.map(([, one]) => one).join('\n')}`;
    const places = explain(text).map(({where}) => where);
    expect(new Set(places).size).to.equal(places.length);
    expect(places).to.include.members(['proxy', 'host certificate', 'user CA', 'sshd', 'node']);
  });

  it('is not made up where it is not known', () => {
    for (const text of ['', 'hello', 'command not found', '\u0000']) expect(explain(text)).to.deep.equal([]);
  });
});
