import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** How far an import got, in a file, so that the next run of the same import goes on from there. */
export interface Checkpoint<State> {
  read(): Promise<State | undefined>;
  /** Whole or not at all. */
  write(state: State): Promise<void>;
}

/** `folder` is where such files are kept, `source` what is imported, `url` where to. */
export function checkpoint<State>(folder: string, source: string, url: string): Checkpoint<State> {
  const name = createHash('sha256').update(`${source}\0${url}`).digest('hex').slice(0, 16);
  const file = `${folder}/${name}.json`;
  return {
    async read() {
      try {
        return (JSON.parse(await readFile(file, 'utf8')) as { state: State }).state;
      } catch (error) {
        // A file that is not whole would be one that somebody else wrote.
        if ((error as { code?: string }).code === 'ENOENT' || error instanceof SyntaxError) {
          return undefined;
        }
        throw error;
      }
    },
    async write(state) {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.new`, `${JSON.stringify({ source, url, state })}\n`);
      await rename(`${file}.new`, file);
    },
  };
}
