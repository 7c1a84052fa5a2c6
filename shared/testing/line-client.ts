import { type ClientRequest, type IncomingMessage, request } from 'node:http';

/** One line of an answer. */
export interface AnsweredLine {
  line: number;
  id?: string;
  timestamp?: number;
  error?: { code: string; message: string; details?: unknown };
}

export interface LineStream {
  request: ClientRequest;
  /** Resolves once the answer begins. */
  response: Promise<IncomingMessage>;
  /** The answers as they come; it ends with the answer, and throws where that breaks off. */
  answers(): AsyncGenerator<AnsweredLine>;
}

/** Posts lines and reads their answers at the same time, which `fetch` does not. */
export function openLines(origin: string, key: string, headers: Record<string, string> = {}): LineStream {
  const sent = request(`${origin}/v1/activities`, {
    method: 'POST',
    headers: { 'x-app-key': key, 'content-type': 'application/x-ndjson', ...headers },
  });
  sent.flushHeaders();
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.once('error', reject);
  });
  // A server may break the connection when it has answered.
  sent.on('error', () => undefined);
  response.catch(() => undefined);
  return {
    request: sent,
    response,
    async *answers() {
      let rest = '';
      for await (const chunk of (await response).setEncoding('utf8')) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        yield* lines.map((line) => JSON.parse(line) as AnsweredLine);
      }
    },
  };
}

/** Posts a whole body; its status and the answers. */
export async function postLines(
  origin: string,
  key: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; contentType: string | undefined; answers: AnsweredLine[] }> {
  const stream = openLines(origin, key, headers);
  stream.request.end(body);
  const { statusCode, headers: answered } = await stream.response;
  const answers: AnsweredLine[] = [];
  for await (const answer of stream.answers()) {
    answers.push(answer);
  }
  return { status: statusCode, contentType: answered['content-type'], answers };
}
