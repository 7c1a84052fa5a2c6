import { createServer } from 'node:http';
import { listen } from '@tideline/shared/listen';
import express from 'express';

/** The baseline of every read: an Express route that answers these bytes and does nothing else. Stops with `close`. */
export async function serveCannedPage(page: string): Promise<{ port: number; close(): Promise<void> }> {
  const app = express();
  app.set('etag', false);
  app.get('/', (_request, response) => {
    response.type('application/json').send(page);
  });
  return listen(createServer(app), '127.0.0.1', 0);
}
