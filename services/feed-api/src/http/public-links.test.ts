import type { Request } from 'express';
import { expect, test } from 'vitest';
import { PublicLinks } from './public-links.js';

function requestOf(url: string, host?: string): Request {
  return { protocol: 'http', headers: { host }, url, path: url.split('?')[0] } as Partial<Request> as Request;
}

test('links begin as the client wrote the host', () => {
  const links = new PublicLinks(undefined);
  for (const host of ['feeds.example:8080', '127.0.0.1:1', '[::1]:80']) {
    expect(links.to(requestOf('/', host), '/v1/users/a')).toBe(`http://${host}/v1/users/a`);
  }
});

test('what is no host goes into no link', () => {
  const links = new PublicLinks(undefined);
  for (const host of ['a/b', 'user@host', 'a"b', 'a b', '', undefined]) {
    expect(links.to(requestOf('/', host), '/x')).toBe('http://localhost/x');
  }
});

test('links begin with the public address where one is set, with its prefix', () => {
  for (const publicUrl of ['https://example.org/feeds', 'https://example.org/feeds/']) {
    expect(new PublicLinks(publicUrl).to(requestOf('/', 'inner'), '/x')).toBe('https://example.org/feeds/x');
  }
  expect(new PublicLinks('https://example.org/').to(requestOf('/', 'inner'), '/x')).toBe('https://example.org/x');
});

test('a link to another page has another cursor, and all else as it was', () => {
  const links = new PublicLinks('https://example.org');
  const request = requestOf('/v1/feeds/home?limit=5&cursor=old&strategy=pull');
  expect(links.page(request, 'new')).toBe('https://example.org/v1/feeds/home?limit=5&strategy=pull&cursor=new');
  expect(links.page(request)).toBe('https://example.org/v1/feeds/home?limit=5&strategy=pull');
  expect(links.page(requestOf('/feed'))).toBe('https://example.org/feed');
});
