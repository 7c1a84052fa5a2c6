import { describeAuthors, follow } from './authors.js';
import { type Checkpoint, checkpoint } from './checkpoint.js';
import { authorId, commitActivity, userName } from './commit-activity.js';
import {
  type CommitRange,
  existingCommits,
  readAuthors,
  readCommits,
  repositoryFolder,
  repositoryName,
  tipsOf,
} from './git-history.js';
import type { ImportTarget } from './import-target.js';
import { type Item, postBatches } from './post-batches.js';
import { showProgress } from './progress.js';

export interface GitSource {
  /** Any folder of the repository. */
  path: string;
  /** What the activities call it; undefined: where it came from, or its folder. */
  name: string | undefined;
  revision: { all: true } | { rev: string };
  /** Users that follow every author, so that their home feeds show the history. */
  followers: string[];
  /** Post everything, whatever was posted before. */
  again: boolean;
}

interface GitState {
  /** All that these reach was posted. */
  finished: string[];
  /** What a run that was cut short has done: so many commits of this range. */
  partial?: { range: CommitRange; posted: number };
  /** An activity that was posted, to see whether it is still there. */
  probeId?: string;
}

/** Bounds the file; a tip that is dropped costs nothing but time. */
const finishedMax = 10_000;

/** Posts a repository's history through the public door: each commit by its author, newest first. Adds nothing twice. */
export async function importGit(source: GitSource, target: ImportTarget): Promise<void> {
  const repository = await repositoryFolder(source.path);
  const name = source.name ?? (await repositoryName(repository));
  const file = checkpoint<GitState>(target.stateFolder, repository, target.ingestUrl);
  const state = await readState(file, source, target);
  const range: CommitRange = {
    tips: await tipsOf(repository, source.revision),
    without: await existingCommits(repository, state.finished),
  };
  const { count, authors } = await survey(repository, range);
  if (count === 0) {
    target.report(`Nothing new in ${name}.`);
    return;
  }
  await describeAuthors(authors, target);
  await follow(source.followers, [...authors.keys()], target);
  const done = samePlace(state.partial, range);
  if (done > 0) {
    target.report(`Going on after ${done} of ${count} commits.`);
  }
  const run: Run = { repository, name, range, done, count, skipped: new Map() };
  const posted = await post(run, state, file, target);
  const finished = [...new Set([...range.tips, ...state.finished])].slice(0, finishedMax);
  await file.write({ finished, ...(posted.probeId === undefined ? {} : { probeId: posted.probeId }) });
  target.report(`Imported ${posted.count} commits by ${authors.size} authors of ${name}.`);
  for (const [reason, skipped] of run.skipped) {
    target.report(`Skipped ${skipped} commits ${reason}: no activity can have that time.`);
  }
}

async function readState(file: Checkpoint<GitState>, source: GitSource, target: ImportTarget): Promise<GitState> {
  const nothing: GitState = { finished: [] };
  const state = (source.again ? undefined : await file.read()) ?? nothing;
  if (state.probeId !== undefined && !(await target.hasActivity(state.probeId))) {
    target.report('What was imported before is not there any more: importing everything.');
    return nothing;
  }
  return state;
}

interface Survey {
  count: number;
  /** Current names by user id. */
  authors: Map<string, string>;
}

/** Goes through the history once before anything is posted: how much it is, and what authors are called by now. */
async function survey(repository: string, range: CommitRange): Promise<Survey> {
  const authors = new Map<string, string>();
  let count = 0;
  for await (const [authorName, authorEmail] of readAuthors(repository, range)) {
    count += 1;
    const id = authorId({ authorName, authorEmail });
    // Newest first: the first name is the current one.
    if (!authors.has(id)) {
      authors.set(id, userName(authorName, id));
    }
  }
  return { count, authors };
}

/** How many commits of exactly this range were posted. With a new commit on top it is another range. */
function samePlace(partial: GitState['partial'], range: CommitRange): number {
  return partial !== undefined && JSON.stringify(partial.range) === JSON.stringify(range) ? partial.posted : 0;
}

interface Run {
  repository: string;
  name: string;
  range: CommitRange;
  done: number;
  count: number;
  /** How many commits cannot be activities, by reason. */
  skipped: Map<string, number>;
}

async function post(
  run: Run,
  state: GitState,
  file: Checkpoint<GitState>,
  target: ImportTarget,
): Promise<{ count: number; probeId: string | undefined }> {
  const progress = showProgress('commits', run.count, run.done);
  let count = 0;
  let probeId = state.probeId;
  try {
    for await (const batch of postBatches(target.ingest, itemsOf(run))) {
      count += batch.count;
      probeId = batch.firstId;
      progress.update(batch.place);
      await file.write({ finished: state.finished, partial: { range: run.range, posted: batch.place }, probeId });
      target.signal.throwIfAborted();
    }
  } finally {
    progress.stop();
  }
  return { count, probeId };
}

async function* itemsOf({ repository, name, range, done, skipped }: Run): AsyncGenerator<Item<number>> {
  const now = Date.now();
  let place = 0;
  for await (const commit of readCommits(repository, range)) {
    place += 1;
    if (place <= done) {
      continue;
    }
    const activity = commitActivity(commit, name, now);
    if ('skipped' in activity) {
      skipped.set(activity.skipped, (skipped.get(activity.skipped) ?? 0) + 1);
    } else {
      yield { json: JSON.stringify(activity), label: `commit ${commit.hash}`, place };
    }
  }
}
