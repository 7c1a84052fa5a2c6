import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';

/** One row of the dashboard: a title and what is below it. */
export interface Panels {
  title: string;
  panels: readonly Builder<Panel>[];
}

/** Prometheus calls its jobs so, and each service says its name in the label `service` of all its metrics. */
export const services = ['ingest', 'fanout', 'feed-api'] as const;
