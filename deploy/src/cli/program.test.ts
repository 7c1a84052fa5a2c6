import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { exitMeanings, exitStatus } from './exit-status.js';
import { tidelineProgram } from './program.js';

/** What changes something and says so in sentences. Everything else is read, by people and by scripts. */
const writing = [
  'setup',
  'keys create',
  'keys revoke',
  'import git',
  'import ndjson',
  'seed',
  'dead-letters replay',
  'dead-letters discard',
];

const commands = leavesOf(tidelineProgram(), '');

function leavesOf(command: Command, path: string): [string, Command][] {
  return command.commands.length === 0
    ? [[path, command]]
    : command.commands.flatMap((each) => leavesOf(each, `${path} ${each.name()}`.trim()));
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

test.each(commands)('%s says what it is for, and shows how it is used', (path, command) => {
  expect(command.description()).not.toBe('');
  expect(helpOf(command)).toContain(`\n  npx tideline ${path}`);
});

test.each(commands.filter(([path]) => !writing.includes(path)))('%s has --json, because it reads', (_path, command) => {
  expect(command.options.map(({ long }) => long)).toContain('--json');
});

test('every help and docs/operating.md have the same table of exit statuses', async () => {
  const guide = await readFile(new URL('../../../docs/operating.md', import.meta.url), 'utf8');
  for (const [name, meaning] of Object.entries(exitMeanings)) {
    const status = exitStatus[name as keyof typeof exitStatus];
    expect(guide).toContain(`| ${status} | ${meaning} |`);
    for (const [, command] of commands) {
      expect(helpOf(command)).toMatch(new RegExp(`\n {2}${status} +${meaning.replace(/[()]/g, '.')}\n`));
    }
  }
});
