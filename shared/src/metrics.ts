import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** Seconds; from a tenth of a millisecond to ten seconds, which covers a cached page and a cold start alike. */
export const durationBuckets = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A registry with the process's own metrics (memory, event-loop delay, garbage collection). */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  return registry;
}

export interface HttpMetrics {
  requestServed(route: string, method: string, status: number, seconds: number): void;
}

export function httpMetrics(registry: Registry): HttpMetrics {
  const duration = new Histogram({
    name: 'tideline_http_request_duration_seconds',
    help: 'Time from request to response, by route template',
    labelNames: ['route', 'method', 'status'],
    buckets: durationBuckets,
    registers: [registry],
  });
  return {
    requestServed: (route, method, status, seconds) => duration.observe({ route, method, status }, seconds),
  };
}
