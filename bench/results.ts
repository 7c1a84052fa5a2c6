import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const resultsFolder = fileURLToPath(new URL('../.tideline/bench/', import.meta.url));

/** Keeps what a run measured, as JSON under `.tideline/bench`. Returns the file. */
export async function keepResult(name: string, result: object): Promise<string> {
  const at = new Date().toISOString();
  const file = `${resultsFolder}${name}-${at.replaceAll(':', '-')}.json`;
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(file, `${JSON.stringify({ name, at, ...result }, undefined, 2)}\n`);
  return file;
}
