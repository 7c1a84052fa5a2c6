import { readFile } from 'node:fs/promises';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { expect, test } from 'vitest';
import { inCheckout } from '../servers/checkout.js';
import { services } from './dashboard-row.js';
import { dashboardFile, tidelineDashboard, tidelineDashboardJson } from './tideline-dashboard.js';

const columns = 24;
const read = (path: string) => readFile(inCheckout(path), 'utf8');
const panels = tidelineDashboard().panels as Panel[];

test('the committed dashboard is what the code makes: npm run dashboards -w deploy', async () => {
  expect(await read(dashboardFile)).toBe(tidelineDashboardJson());
});

test('every panel says what it shows, and panels fill their lines without overlapping', () => {
  const taken = new Set<string>();
  for (const { title, type, description, gridPos } of panels) {
    expect(description ?? (type === 'row' ? 'row' : ''), title).not.toBe('');
    const { x, y, w, h } = gridPos ?? { x: 0, y: 0, w: 0, h: 0 };
    expect(x + w, title).toBeLessThanOrEqual(columns);
    for (let cell = 0; cell < w * h; cell += 1) {
      const place = `${x + (cell % w)},${y + Math.floor(cell / w)}`;
      expect(taken, title).not.toContain(place);
      taken.add(place);
    }
  }
  const bottom = Math.max(...panels.map(({ gridPos }) => (gridPos?.y ?? 0) + (gridPos?.h ?? 0)));
  expect(taken.size).toBe(bottom * columns);
});

test('no two panels have the same number or title', () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
});

test('Prometheus has a job for every service that the dashboard asks for', async () => {
  const config = await read('deploy/prometheus/prometheus.yml');
  expect([...config.matchAll(/job_name: (\S+)/g)].map(([, name]) => name)).toEqual([...services]);
});

test('Grafana knows how often Prometheus reads: rates need several readings', async () => {
  const [, scraped] = /scrape_interval: (\S+)/.exec(await read('deploy/prometheus/prometheus.yml')) ?? [];
  const [, known] =
    /timeInterval: (\S+)/.exec(await read('deploy/grafana/provisioning/datasources/prometheus.yml')) ?? [];
  expect(known).toBe(scraped);
});
