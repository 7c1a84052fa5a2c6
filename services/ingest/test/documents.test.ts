import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, type RunningIngest } from './ingest-server.js';

/** Both services serve their documents by the same code. */
let installation: Installation;
let ingest: RunningIngest;
beforeAll(async () => {
  installation = await Installation.create();
  ingest = await installation.start();
});
afterAll(async () => {
  await ingest.stop();
  await installation.close();
});

async function read(path: string): Promise<Response> {
  return fetch(`${ingest.url}${path}`, { redirect: 'manual' });
}

test('both documents are for anybody, and are of the version that they say', async () => {
  for (const [path, version] of [
    ['/openapi.json', '3.1.0'],
    ['/openapi-3.0.json', '3.0.3'],
  ] as const) {
    const response = await read(path);
    expect(response.status).toBe(200);
    const document = (await response.json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe(version);
    expect(Object.keys(document.paths)).toContain('/v1/activities');
  }
});

test('the pages bring all that they load, and may load nothing else', async () => {
  const redirect = await read('/docs');
  expect([redirect.status, redirect.headers.get('location')]).toEqual([308, '/docs/']);
  const page = await read('/docs/');
  const policy = page.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);

  const html = await page.text();
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, place = '']) => place);
  expect(loaded.length).toBeGreaterThan(2);
  expect(html).not.toMatch(/<script>|style=|onload=/);
  for (const place of loaded) {
    const asset = await read(`/docs/${place}`);
    expect([place, asset.status]).toEqual([place, 200]);
    expect((await asset.arrayBuffer()).byteLength).toBeGreaterThan(0);
  }
});
