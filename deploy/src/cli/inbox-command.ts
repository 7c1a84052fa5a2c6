import { type ListKind, listKinds } from '@tideline/shared/feed-lists';
import { type Command, Option } from 'commander';
import { inboxText } from '../inbox/inbox-text.js';
import { lookAtList } from '../inbox/look-at-list.js';
import { readVerifyConfig } from '../verify/config.js';
import { withVerifyTools } from '../verify/verify-tools.js';
import { addExamples } from './examples.js';

interface InboxOptions {
  list: ListKind;
  json: boolean;
}

export function addInboxCommand(program: Command): void {
  const command = program
    .command('inbox')
    .argument('<user>', 'whose, by id')
    .summary('show the home feed of a user as Redis has it')
    .description(
      'show a list of a user as Redis has it: its state, where it is complete from, its ids and their times. Looking at it ' +
        'renews nothing. Needs TIDELINE_DATABASE_URL, TIDELINE_REDIS_URL and TIDELINE_NAMESPACE.',
    )
    .addOption(
      new Option('--list <list>', 'inbox: the home feed; outbox: what the user did in public')
        .choices(listKinds)
        .default('inbox'),
    )
    .option('--json', 'as JSON', false);
  addExamples(command, {
    'inbox anna': 'the home feed of anna',
    'inbox anna --list outbox --json': 'what anna did in public, for scripts',
  }).action(async (user: string, { list: kind, json }: InboxOptions) => {
    const list = { kind, userId: user };
    const seen = await withVerifyTools(readVerifyConfig(), ({ cache }) => lookAtList(cache, list));
    console.log(json ? JSON.stringify(seen, undefined, 2) : inboxText(list, seen));
  });
}
