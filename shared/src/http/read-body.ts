import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Request } from 'express';
import { invalidRequest, TidelineError } from '../errors.js';
import { whenLate } from './slow-senders.js';

/**
 * The whole body, decompressed. Throws `payload_too_large` as soon as it is more than `sizeMaxBytes`, compressed or
 * not; `unsupported_media_type` for another encoding; `timeout` for a sender who is too slow; `invalid_request` for
 * what cannot be decompressed. The answer goes out while the rest still arrives, which is thrown away.
 */
export async function readBody(request: Request, sizeMaxBytes: number): Promise<Buffer> {
  const decoder = decoderOf(request.headers['content-encoding']);
  if (Number(request.headers['content-length'] ?? 0) > sizeMaxBytes) {
    request.resume();
    throw tooLarge();
  }
  const source = decoder === undefined ? request : request.pipe(decoder);
  try {
    return await collect(request, source, sizeMaxBytes);
  } finally {
    if (decoder !== undefined) {
      request.unpipe(decoder);
      decoder.destroy();
    }
    request.resume();
  }
}

/** What decompresses a body, or undefined where nothing has to. Throws `unsupported_media_type`. */
export function decoderOf(encoding = 'identity'): Transform | undefined {
  switch (encoding.toLowerCase()) {
    case 'identity':
      return undefined;
    case 'gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      throw new TidelineError(
        'unsupported_media_type',
        'The body must be as it is or compressed with gzip, deflate or br.',
      );
  }
}

function collect(request: Request, source: Request | Transform, sizeMaxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > sizeMaxBytes) {
        source.off('data', onData);
        reject(tooLarge());
        return;
      }
      chunks.push(chunk);
    };
    source.on('data', onData);
    source.on('end', () => resolve(Buffer.concat(chunks, size)));
    // Of the decoder: this is not what its name says. Of the request: the connection is gone, and nobody hears it.
    source.on('error', () => reject(invalidRequest('The body cannot be read.')));
    request.on('close', () => {
      if (!request.complete) {
        reject(invalidRequest('The body ended before it was complete.'));
      }
    });
    whenLate(request, reject);
  });
}

function tooLarge(): TidelineError {
  return new TidelineError('payload_too_large', 'The body is too large.');
}
