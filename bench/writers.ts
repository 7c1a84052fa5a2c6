// Many who post, follow, unfollow and delete at once, and read: no page may show what was gone before it was asked for, and
// afterwards all that Redis has is held against the database.
// usage: npm run writers -w bench -- [--writers 200] [--seconds 60] [--threshold 40] [--cap 100] [--seed 1]
import { verifyFeeds } from '@tideline/deploy/verify/verify-feeds';
import { verifyText } from '@tideline/deploy/verify/verify-text';
import { withVerifyTools } from '@tideline/deploy/verify/verify-tools';
import { randomNumbers } from '@tideline/testing/history';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { CrowdOfWriters } from './crowd-of-writers.js';
import { keepResult } from './results.js';

const settings = numberArguments({ writers: 200, seconds: 60, threshold: 40, cap: 100, seed: 1 });
const violationsShownMax = 20;
const pageSize = 50;
const patienceMs = 30_000;

await withBenchSystem(
  async (system) => {
    await Promise.all([system.startFanout(), putUsers(system)]);
    const crowd = new CrowdOfWriters(system, settings.writers, randomNumbers(settings.seed));
    const pressure = watchCpuPressure();
    await crowd.run(settings.seconds);
    console.log(`CPU pressure ${percentText(pressure())}`);
    await system.caughtUp();
    const counts = { ...crowd.counts, pulledAuthors: await pulledAuthors(system) };
    console.table(counts);
    // Also builds what is missing, for the comparison that follows.
    const different = await differentFeeds(system, crowd.users);
    const report = await withVerifyTools(system.serverConfig, (tools) =>
      verifyFeeds(
        tools,
        { all: true },
        { repair: false, patienceMs, onStart: () => undefined, onProgress: () => undefined },
      ),
    );
    console.log(verifyText(report));
    for (const violation of crowd.violations.slice(0, violationsShownMax)) {
      console.error(violation);
    }
    const failures = {
      'reads showed what was gone': crowd.violations.length,
      'readers differ or are undecided': report.different.length + report.undecided.length,
      'hybrid feeds differ from pull': different.length,
    };
    console.table(failures);
    console.log(`kept in ${await keepResult('writers', { settings, counts, failures })}`);
    const failed = Object.values(failures).filter((count) => count > 0).length;
    console.log(`${Object.keys(failures).length - failed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  },
  { inboxCap: settings.cap, followerThreshold: settings.threshold },
);

async function putUsers(system: BenchSystem): Promise<void> {
  for (let i = 0; i < settings.writers; i += 1) {
    await system.ingest.succeed('PUT', `/v1/users/writer-${i}`, { body: { name: `writer ${i}` } });
  }
}

async function pulledAuthors({ database }: BenchSystem): Promise<number> {
  const { pulled } = await database.one<{ pulled: number }>(
    `select count(*)::int as pulled from authors where mode = 'pull'`,
  );
  return pulled;
}

async function differentFeeds(system: BenchSystem, users: readonly string[]): Promise<string[]> {
  const different: string[] = [];
  for (const user of users) {
    const [hybrid, pull] = [await walk(system, user, 'hybrid'), await walk(system, user, 'pull')];
    if (hybrid !== pull) {
      different.push(user);
    }
  }
  return different;
}

async function walk(system: BenchSystem, user: string, strategy: string): Promise<string> {
  const items = await system.feedApi.walk('/v1/feeds/home', user, pageSize, { strategy });
  return items.map(({ id }) => id).join();
}
