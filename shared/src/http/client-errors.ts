import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { TidelineError } from '../errors.js';
import type { Logger } from '../logger.js';
import { errorBody, statusOf } from './error-response.js';

/** For the answer to arrive, before a connection that nobody can use any more is closed. */
const closeGraceMs = 500;

/** Answers what never became a request, in JSON as all others: malformed HTTP, too many headers, headers too slow. */
export function answerClientErrors(server: Server, logger: Logger): void {
  const responses = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request, response) => responses.set(request.socket, response));
  server.on('clientError', (failure: NodeJS.ErrnoException, socket: Socket) => {
    const response = responses.get(socket);
    const isAnswering = response?.headersSent === true && !response.writableFinished;
    if (!socket.writable || failure.code === 'ECONNRESET' || isAnswering) {
      socket.destroy();
      return;
    }
    const error = refusalOf(failure.code);
    const status = statusOf(error.code);
    const body = JSON.stringify(errorBody(error));
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    setTimeout(() => socket.destroy(), closeGraceMs).unref();
    logger.info({ status, code: error.code }, 'refused before it was a request');
  });
}

function refusalOf(code: string | undefined): TidelineError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new TidelineError('headers_too_large', 'The headers are too large.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new TidelineError('timeout', 'The headers came too slowly.');
    default:
      return new TidelineError('invalid_request', 'This is not HTTP as it should be.');
  }
}
