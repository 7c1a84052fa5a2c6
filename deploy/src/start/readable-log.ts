import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { prettyFactory } from 'pino-pretty';

const lastLinesMax = 15;
const nameWidth = 'feed-api'.length;

export interface ReadableLog {
  /** Shows what the stream says: pino's JSON as text, anything else as it is. Requests that went well are left out. */
  show(stream: Readable): void;
  /** What was shown last. */
  lastLines(): readonly string[];
}

export function readableLog(
  name: string,
  colour: Parameters<typeof styleText>[0],
  { colours, write }: { colours: boolean; write: (line: string) => void },
): ReadableLog {
  const pretty = prettyFactory({
    colorize: colours,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,name,service',
  });
  const label = name.padEnd(nameWidth);
  const prefix = `${colours ? styleText(colour, label) : label} | `;
  const lastLines: string[] = [];
  const showLine = (line: string) => {
    const shown = prefix + line;
    lastLines.push(shown);
    if (lastLines.length > lastLinesMax) {
      lastLines.shift();
    }
    write(shown);
  };
  return {
    show(stream) {
      createInterface({ input: stream }).on('line', (line) => {
        const shown = withShortRequest(line);
        if (shown === undefined) {
          return;
        }
        // One record may be several lines: an error comes with its stack.
        for (const part of pretty(shown).trimEnd().split('\n')) {
          showLine(part);
        }
      });
    },
    lastLines: () => lastLines,
  };
}

interface RequestRecord {
  msg: string;
  level: number;
  time: number;
  requestId: string;
  method: string;
  route: string;
  status: number;
  code?: string;
  ms: number;
  principal?: { kind: string; name: string };
}

const firstFailedStatus = 400;

/** A request that failed as one short record, nothing for one that went well, every other line as it is. */
function withShortRequest(line: string): string | undefined {
  const record = requestRecord(line);
  if (record === undefined) {
    return line;
  }
  const { level, time, requestId, method, route, status, code, ms, principal } = record;
  if (status < firstFailedStatus) {
    return undefined;
  }
  const who = principal === undefined ? 'a stranger' : `${principal.kind} ${principal.name}`;
  const msg = `${method} ${route} by ${who}: ${status} ${code ?? ''} after ${ms} ms, request ${requestId}`;
  return JSON.stringify({ level, time, msg });
}

function requestRecord(line: string): RequestRecord | undefined {
  if (!line.endsWith('"msg":"request"}')) {
    return undefined;
  }
  try {
    return JSON.parse(line) as RequestRecord;
  } catch {
    return undefined;
  }
}
