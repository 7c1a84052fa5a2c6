import { createServer } from 'node:http';
import { type Listening, listen } from '@tideline/shared/listen';
import { afterEach, expect, test } from 'vitest';
import { readStartConfig } from './config.js';
import { requireFreePorts } from './require-free-ports.js';

const host = '127.0.0.1';
let taken: Listening | undefined;

afterEach(async () => {
  await taken?.close();
  taken = undefined;
});

function servicesOn(port: number) {
  return readStartConfig({ TIDELINE_FANOUT_OPERATIONS_PORT: String(port) }).services.filter(
    ({ name }) => name === 'fanout',
  );
}

test('a taken port is named, with its owner and the variable that chooses another', async () => {
  taken = await listen(createServer(), host, 0);

  const sentence = new RegExp(
    `^Port ${taken.port}, for fanout, is taken by .+: stop that, or set TIDELINE_FANOUT_OPERATIONS_PORT`,
  );
  await expect(requireFreePorts(host, servicesOn(taken.port))).rejects.toThrow(sentence);
});

test('free ports are fine', async () => {
  const { port, close } = await listen(createServer(), host, 0);
  await close();

  await expect(requireFreePorts(host, servicesOn(port))).resolves.toBeUndefined();
});
