import { resolve } from 'node:path';
import type { Command } from 'commander';
import { importGit } from '../import/import-git.js';
import { importNdjson } from '../import/import-ndjson.js';
import { addExamples } from './examples.js';
import { addTargetOptions, demoKey, type TargetOptions, targetOf } from './target-options.js';

const demoUser = '1';

interface GitOptions extends TargetOptions {
  name?: string;
  all: boolean;
  rev: string;
  /** false: `--no-followers`. */
  followers?: string | false;
}

interface NdjsonOptions extends TargetOptions {
  allowRepeats: boolean;
}

export function addImportCommand(program: Command): void {
  const command = program.command('import').description('post existing data, through the same door as everybody');

  const git = command
    .command('git')
    .argument('<path>', 'a folder of any local repository')
    .description(
      'a git history: authors become users, commits become activities at their commit dates, newest first. Goes on where it was stopped; a second run adds what is new.',
    )
    .option('--name <name>', 'what to call the repository (default: where it was cloned from, or its folder)')
    .option('--all', 'all branches and tags', false)
    .option('--rev <revision>', 'all that this branch, tag or commit reaches', 'HEAD')
    .option(
      '--followers <users>',
      `users, with commas between, who follow every author of what this run posts, so that their home feeds show it (default: with the demo key, user ${demoUser})`,
    )
    .option('--no-followers', 'nobody');
  addExamples(git, {
    'import git . --followers 1': 'the history of this repository, into the home feed of demo user 1',
    'import git ~/src/linux --rev v6.1 --name linux': 'all that a tag reaches, under a name of your choice',
  });
  addTargetOptions(git).action(async (path: string, options: GitOptions) => {
    const followers = options.followers ?? (options.key === demoKey && demoUser);
    const source = {
      path: fromCaller(path),
      name: options.name,
      revision: options.all ? ({ all: true } as const) : { rev: options.rev },
      followers: followers === false ? [] : followers.split(','),
      again: options.again,
    };
    await importGit(source, targetOf(options));
    if (options.key === demoKey && source.followers.includes(demoUser)) {
      console.log(`\nIvan's home feed shows it:\n  curl -sS -H 'X-App-Key: abc123' ${options.feedApi}/v1/feeds/home`);
    }
  });

  const ndjson = command
    .command('ndjson')
    .argument('<file>', 'one activity a line, as POST /v1/activities takes it')
    .description(
      'activities from a file. A line that is refused stops the import and is named by its number; all lines of arrays before it are in.',
    )
    .option(
      '--allow-repeats',
      'take lines without foreignId too: where an attempt is repeated, they are added once more',
      false,
    );
  addExamples(ndjson, {
    'import ndjson history.ndjson --key tl_…': 'with the key of a service of yours',
  });
  addTargetOptions(ndjson).action(async (path: string, options: NdjsonOptions) => {
    const source = { path: fromCaller(path), allowRepeats: options.allowRepeats, again: options.again };
    await importNdjson(source, targetOf(options));
  });
}

/** npm runs scripts in the checkout and says in INIT_CWD where the caller is. */
function fromCaller(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), path);
}
