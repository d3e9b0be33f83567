// Adds to package-lock.json the optional builds for other platforms that a registry did not carry when the lock was made:
// without them `npm ci` finds lock and manifests at odds. Run it after any `npm install` that changes the lock.
import {readFileSync, writeFileSync} from 'node:fs';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const packages = lock.packages;
const missing = Object.values(packages).flatMap(({optionalDependencies = {}, dev}) =>
  Object.entries(optionalDependencies)
    .filter(([name]) => packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => ({name, version, dev})),
);

for (const {name, version, dev} of missing) {
  const os = /android|darwin|win32|freebsd|netbsd|openbsd|linux|openharmony|sunos|aix/.exec(name)?.[0];
  const build = name.replace('armv7', 'arm').replace('aarch64', 'arm64');
  const cpu = /[-.](arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64|mips64el|wasm32)/.exec(build)?.[1];
  const libc = /musl/.test(name) ? 'musl' : /gnu/.test(name) ? 'glibc' : undefined;
  packages[`node_modules/${name}`] = {
    version,
    ...(cpu && {cpu: [cpu]}),
    ...(dev && {dev}),
    ...(libc && {libc: [libc]}),
    optional: true,
    ...(os && {os: [os]}),
  };
}

lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${missing.length} added\n`);
