import { digestOfKey } from './api-key.js';

/** Who exists in demo mode, with keys that everybody knows: they open nothing where demo mode is off. */
export const demoUsers = [
  { id: '1', name: 'ivan', key: 'abc123' },
  { id: '2', name: 'nico', key: 'abc124' },
  { id: '3', name: 'eric', key: 'abc125' },
] as const;

export const demoService = { name: 'demo-producer', key: 'demo-producer', scopes: ['write', 'read', 'admin'] } as const;

const demoKeys: ReadonlySet<string> = new Set(
  [...demoUsers, demoService].map(({ key }) => digestOfKey(key).toString('hex')),
);

export function isDemoKey(digest: Buffer): boolean {
  return demoKeys.has(digest.toString('hex'));
}
