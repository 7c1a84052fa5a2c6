// Fuzzes both services by their own documents, with schemathesis: no answer may be a server error, and none undocumented.
// usage: npm run schemathesis -w bench -- [--examples 100] [--seed 1]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { inCheckout } from '@tideline/deploy/servers/checkout';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';

const version = '4.32.5';
const environment = inCheckout('.tideline/schemathesis');
const configuration = fileURLToPath(new URL('schemathesis.toml', import.meta.url));
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
  'unsupported_method',
  'negative_data_rejection',
  'ignored_auth',
];

const settings = numberArguments({ examples: 100, seed: 1 });

await install();
let failed = 0;
await withBenchSystem(async (system) => {
  await system.startFanout();
  await somethingToFind(system);
  for (const { origin } of [system.ingest, system.feedApi]) {
    failed += (await fuzz(origin)) === 0 ? 0 : 1;
  }
});
console.log(`${2 - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function install(): Promise<void> {
  await mkdir(inCheckout('.tideline'), { recursive: true });
  const installed = await access(`${environment}/bin/st`).then(
    () => true,
    () => false,
  );
  if (!installed) {
    console.log(`Installing schemathesis ${version}, typically 10 s`);
    await run('python3', ['-m', 'venv', environment]);
    await run(`${environment}/bin/pip`, ['install', '--quiet', `schemathesis==${version}`]);
  }
}

/** Users, an object and a post, so that not everything that is asked for is missing. */
async function somethingToFind({ ingest }: BenchSystem): Promise<void> {
  for (const id of ['0', '1', 'a']) {
    await ingest.succeed('PUT', `/v1/users/${id}`, { body: { name: id } });
    await ingest.succeed('PUT', `/v1/objects/0/${id}`, { body: { title: id } });
    await ingest.succeed('POST', '/v1/activities', {
      actAs: id,
      body: { verb: 'post', objectType: '0', objectId: id },
    });
  }
}

async function fuzz(origin: string): Promise<number> {
  return run(`${environment}/bin/st`, [
    `--config-file=${configuration}`,
    'run',
    `${origin}/openapi.json`,
    '--header=X-App-Key: demo-producer',
    `--checks=${checks.join(',')}`,
    `--max-examples=${settings.examples}`,
    `--seed=${settings.seed}`,
    '--continue-on-failure',
    '--suppress-health-check=all',
  ]);
}

async function run(command: string, args: readonly string[]): Promise<number> {
  // It keeps what it found where it is run.
  const child = spawn(command, args, { stdio: 'inherit', cwd: inCheckout('.tideline') });
  const [status] = (await once(child, 'exit')) as [number | null];
  return status ?? 1;
}
