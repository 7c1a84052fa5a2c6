import {
  aggregationSettings,
  feedSettings,
  listenSettings,
  readEnvironment,
  type ServerConfig,
  serverConfig,
  serverSettings,
} from '@tideline/shared/config';
import { type DoorConfig, doorConfig, doorSettings } from '@tideline/shared/door-settings';
import { z } from 'zod';

const settings = {
  ...serverSettings,
  ...feedSettings,
  ...aggregationSettings,
  ...listenSettings({ http: 8080, operations: 9080 }),
  /** How long pages of plain queries are kept (B8); 0: not at all. */
  TIDELINE_PULL_CACHE_MS: z.coerce.number().int().min(0).max(30_000).default(2_000),
  /** Streams of events that one process keeps open. */
  TIDELINE_STREAMS_MAX: z.coerce.number().int().min(0).max(1_000_000).default(10_000),
  ...doorSettings,
  /** Where clients find this service, where that is not what they put into Host: behind a proxy. */
  TIDELINE_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .refine((text) => /^[^?#]*$/.test(text), 'must have neither a query nor a fragment')
    .optional(),
};

export interface FeedApiConfig extends ServerConfig {
  listenHost: string;
  httpPort: number;
  operationsPort: number;
  door: DoorConfig;
  inboxCap: number;
  /** As it was set; see aggregation-rules.ts. */
  aggregation: string;
  /** 0: no pages are kept. */
  pullCacheMs: number;
  streamsMax: number;
  publicUrl?: string | undefined;
}

export function readConfig(environment: NodeJS.ProcessEnv): FeedApiConfig {
  const given = readEnvironment(settings, environment);
  const server = serverConfig(given);
  return {
    ...server,
    listenHost: given.TIDELINE_LISTEN_HOST,
    httpPort: given.TIDELINE_HTTP_PORT,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
    door: doorConfig(given, server.demo),
    inboxCap: given.TIDELINE_INBOX_CAP,
    aggregation: given.TIDELINE_AGGREGATION,
    pullCacheMs: given.TIDELINE_PULL_CACHE_MS,
    streamsMax: given.TIDELINE_STREAMS_MAX,
    publicUrl: given.TIDELINE_PUBLIC_URL,
  };
}
