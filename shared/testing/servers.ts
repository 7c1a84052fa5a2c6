import { dockerAnswers } from '@tideline/deploy/servers/docker';
import { nativeStack } from '@tideline/deploy/servers/native-stack';
import { serverUrlsOf } from '@tideline/deploy/servers/server-urls';
import { TidelineError } from '@tideline/shared/errors';
import type { TestServers } from './test-servers.js';

const kinds = ['native', 'containers'] as const;
type Kind = (typeof kinds)[number];

/**
 * Finds servers: those that the environment names, else containers where Docker answers, else the native stack.
 * TIDELINE_TEST_SERVERS=native or =containers decides between the last two.
 * TIDELINE_KEEP_SERVERS=1 leaves the native stack running, which makes the next run start sooner.
 */
export async function findServers(environment: NodeJS.ProcessEnv): Promise<TestServers> {
  const urls = serverUrlsOf(environment);
  if (urls !== undefined) {
    return { urls, release: () => Promise.resolve() };
  }
  const kind = forcedKind(environment) ?? ((await dockerAnswers()) ? 'containers' : 'native');
  process.stderr.write(`Servers for the tests: ${kind === 'native' ? 'the native stack' : 'containers'}\n`);
  if (kind === 'containers') {
    const { startContainers } = await import('./server-containers.js');
    return startContainers();
  }
  const { shareNativeStack } = await import('./server-sharing.js');
  return shareNativeStack(nativeStack('test'), environment['TIDELINE_KEEP_SERVERS'] === '1');
}

function forcedKind(environment: NodeJS.ProcessEnv): Kind | undefined {
  const forced = environment['TIDELINE_TEST_SERVERS'] ?? '';
  const kind = kinds.find((each) => each === forced);
  if (kind === undefined && forced !== '') {
    throw new TidelineError('configuration', `TIDELINE_TEST_SERVERS must be ${kinds.join(' or ')}, not "${forced}".`);
  }
  return kind;
}
