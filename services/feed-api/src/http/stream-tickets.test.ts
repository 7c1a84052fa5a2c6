import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamTickets, ticketTimeMs } from './stream-tickets.js';

const secret = randomBytes(32);
const tickets = new StreamTickets(secret);

test('a ticket is good for its user, in every process, for a minute', () => {
  const { ticket, expiresAt } = tickets.mint('anna', 1_000);
  expect(expiresAt).toBe(1_000 + ticketTimeMs);
  expect(ticketTimeMs).toBe(60_000);
  expect(new StreamTickets(secret).userOf(ticket, 1_000)).toBe('anna');
  expect(tickets.userOf(ticket, expiresAt - 1)).toBe('anna');
  expect(tickets.userOf(ticket, expiresAt)).toBeUndefined();
  expect(new StreamTickets(randomBytes(32)).userOf(ticket, 1_000)).toBeUndefined();
});

test('a ticket of which anything was changed is none', () => {
  const { ticket } = tickets.mint('anna');
  const bytes = Buffer.from(ticket, 'base64url');
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      expect(tickets.userOf(changed.toString('base64url'))).toBeUndefined();
    }),
  );
  for (const other of ['', 'AQ', `${ticket}=`, `${ticket} `, `${ticket}A`, ticket.slice(0, -2)]) {
    expect(tickets.userOf(other)).toBeUndefined();
  }
});

test('anything at all is no ticket', () => {
  fc.assert(fc.property(fc.string(), (text) => tickets.userOf(text) === undefined));
});
