import type { ServerUrls } from '@tideline/deploy/servers/server-urls';

/** Real servers for one run of tests. */
export interface TestServers {
  urls: ServerUrls;
  /** Releases them; what was started for tests ends with the last run that uses it. */
  release(): Promise<void>;
}
