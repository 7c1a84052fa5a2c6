import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inCheckout } from '@tideline/deploy/servers/checkout';
import { nativeStackFits, nativeStackUrls } from '@tideline/deploy/servers/native-stack';
import type { ServerUrls } from '@tideline/deploy/servers/server-urls';
import { holdAlone } from './server-sharing.js';

const run = promisify(execFile);
const script = inCheckout('deploy/native/stack.sh');
export type ServerName = 'kafka' | 'kafka2' | 'kafka3' | 'postgres' | 'redis';

/** Servers of a test's own, which it may take away: what other tests use is never touched. */
export interface FaultServers {
  urls: ServerUrls;
  /** Ends a server and waits until it has ended; gracefully unless told otherwise. */
  stopServer(server: ServerName, signal?: 'TERM' | 'INT' | 'KILL'): Promise<void>;
  /** Starts it with its port and data, and waits until it does its job. */
  startServer(server: ServerName): Promise<void>;
  /** Stops all of them and deletes their data. */
  erase(): Promise<void>;
}

/**
 * Starts an instance of the native stack, empty. Where this machine cannot have one it returns why: then a test has to
 * be skipped. One test at a time has it; others wait. Of three brokers each has its name: kafka, kafka2, kafka3.
 */
export async function startFaultServers({ brokers = 1 }: { brokers?: 1 | 3 } = {}): Promise<FaultServers | string> {
  if (process.env['TIDELINE_TEST_SERVERS'] === 'containers') {
    return 'the servers are containers, which this test cannot stop and start';
  }
  if (!nativeStackFits()) {
    return 'this needs the native stack, to stop and start its servers, and that needs root on Debian';
  }
  const instance = brokers === 1 ? 'faults' : 'brokers';
  const lock = await holdAlone(instance);
  try {
    // What a test that was killed left behind.
    await run(script, ['erase', instance]);
    await run(script, ['start', instance, String(brokers)]);
  } catch (error) {
    await lock.release();
    const { stderr } = error as { stderr?: string };
    if (stderr?.includes('the native stack cannot start here') === true) {
      return stderr;
    }
    throw error;
  }
  return {
    urls: await nativeStackUrls(instance),
    async stopServer(server, signal) {
      await run(script, ['stop-server', instance, server, ...(signal === undefined ? [] : [signal])]);
    },
    async startServer(server) {
      await run(script, ['start-server', instance, server]);
    },
    async erase() {
      await run(script, ['erase', instance]).finally(() => lock.release());
    },
  };
}
