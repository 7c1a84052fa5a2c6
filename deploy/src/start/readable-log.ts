import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { prettyFactory } from 'pino-pretty';

const lastLinesMax = 15;
const nameWidth = 'feed-api'.length;

export interface ReadableLog {
  /** Shows every line of the stream: pino's JSON as text, anything else as it is. */
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
        // One record may be several lines: an error comes with its stack.
        for (const part of pretty(line).trimEnd().split('\n')) {
          showLine(part);
        }
      });
    },
    lastLines: () => lastLines,
  };
}
