import { TidelineError } from '@tideline/shared/errors';
import { type Command, Option } from 'commander';
import { activityLookUp, type ImportTarget } from '../import/import-target.js';
import { ingestClient } from '../import/ingest-client.js';
import { inCheckout } from '../servers/checkout.js';
import { listenForStop } from './stop-requests.js';

export const demoKey = 'demo-producer';

export interface TargetOptions {
  url: string;
  feedApi: string;
  key: string;
  again: boolean;
}

/** Where the services are, and who posts. */
export function addTargetOptions(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'ingest').default('http://127.0.0.1:8081').argParser(httpUrl))
    .addOption(feedApiOption())
    .option('--key <key>', "a service's key", demoKey)
    .option('--again', 'post everything, whatever was posted before; what is there stays as it is', false);
}

export function feedApiOption(): Option {
  return new Option('--feed-api <url>', 'feed-api').default('http://127.0.0.1:8080').argParser(httpUrl);
}

/** Without a slash at its end. */
export function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:/i.test(text)) {
    throw new TidelineError('configuration', `"${text}" is no http or https URL.`);
  }
  return text.replace(/\/+$/, '');
}

/** Ctrl-C stops after what is under way; a second one at once. */
export function targetOf(options: TargetOptions): ImportTarget {
  const requests = listenForStop();
  requests.stop.addEventListener('abort', () => console.error('Stopping after what is under way …'));
  requests.kill.addEventListener('abort', () => process.exit(130));
  return {
    ingest: ingestClient({
      url: options.url,
      key: options.key,
      signal: requests.stop,
      onRetry: (reason) => console.error(`${options.url} cannot take it now, trying again: ${reason}`),
    }),
    ingestUrl: options.url,
    hasActivity: activityLookUp(options.feedApi, options.key),
    stateFolder: inCheckout('.tideline/import'),
    signal: requests.stop,
    report: (line) => console.log(line),
  };
}
