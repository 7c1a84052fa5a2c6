import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Command } from 'commander';
import { feedLines } from '../watch/feed-lines.js';
import { watchFeed } from '../watch/watch-feed.js';
import { addExamples } from './examples.js';
import { listenForStop } from './stop-requests.js';
import { demoKey, feedApiOption } from './target-options.js';

interface WatchOptions {
  feedApi: string;
  key: string;
  json: boolean;
}

export function addWatchCommand(program: Command): void {
  const command = program
    .command('watch')
    .argument('<user>', 'whose home feed, by id')
    .description('show a home feed as it happens: who did what, when. Ctrl-C ends it.')
    .addOption(feedApiOption())
    .option('--key <key>', "the user's own key, or one of a service with the scope `read`", demoKey)
    .option('--json', 'events as they come, a line of JSON each', false);
  addExamples(command, {
    'watch 1': 'the home feed of demo user 1, ivan',
    'watch anna --key tl_… --feed-api https://feeds.example.com': 'with a key of your own, on another machine',
  }).action(async (user: string, { feedApi, key, json }: WatchOptions) => {
    if (!userIdSchema.safeParse(user).success) {
      throw new TidelineError('configuration', `"${user}" is no user id: 1 to 64 of A-Z a-z 0-9 _ . : -`);
    }
    await watchFeed({
      feedApi,
      headers: { 'x-app-key': key, 'x-act-as': user },
      lines: json ? undefined : feedLines(process.stdout.isTTY),
      write: (line) => process.stdout.write(`${line}\n`),
      say: (sentence) => process.stderr.write(`${sentence}\n`),
      signal: listenForStop().stop,
    });
  });
}
