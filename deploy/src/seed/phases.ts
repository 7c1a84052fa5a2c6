import { activityLimits } from '@tideline/shared/activity';
import type { IngestClient } from '../import/ingest-client.js';
import { type Item, postBatches } from '../import/post-batches.js';
import type { Crowd } from './crowd.js';

export const phaseNames = ['users', 'follows', 'posts', 'liked posts', 'likes'] as const;
export type PhaseName = (typeof phaseNames)[number];

export interface Phase {
  name: PhaseName;
  count: number;
  /** Sends all after the first `done`, and yields how many are done, each time that they are safe. */
  send(ingest: IngestClient, done: number): AsyncGenerator<number>;
}

/** In this order: likes carry the owner of what they like, which ingest has to know by then. */
export function phasesOf(crowd: Crowd): Phase[] {
  const { users, posts, likes } = crowd.settings;
  return [
    described('users', users, (index) => ({
      path: `/v1/users/${crowd.userId(index)}`,
      body: { name: crowd.userName(index) },
    })),
    { name: 'follows', count: crowd.followCount, send: (ingest, done) => sendFollows(ingest, crowd, done) },
    activities('posts', posts, (index) => crowd.post(index)),
    described('liked posts', crowd.likedPostCount, (index) => {
      const { type, id, ...body } = crowd.likedPost(index);
      return { path: `/v1/objects/${type}/${id}`, body };
    }),
    activities('likes', likes, (index) => crowd.like(index)),
  ];
}

/** Each describes one thing, so they go side by side. A stop comes between two such groups, never within one. */
const describedAtOnce = 32;

function described(name: PhaseName, count: number, request: (index: number) => { path: string; body: object }): Phase {
  return {
    name,
    count,
    async *send(ingest, done) {
      for (let start = done; start < count; start += describedAtOnce) {
        const end = Math.min(start + describedAtOnce, count);
        await Promise.all(
          Array.from(numbers(start, end), (index) => {
            const { path, body } = request(index);
            return ingest.send('PUT', path, JSON.stringify(body));
          }),
        );
        yield end;
      }
    },
  };
}

async function* sendFollows(ingest: IngestClient, crowd: Crowd, done: number): AsyncGenerator<number> {
  for (let start = done; start < crowd.followCount; start += activityLimits.followBatchMax) {
    const end = Math.min(start + activityLimits.followBatchMax, crowd.followCount);
    const batch = Array.from(numbers(start, end), (index) => crowd.follow(index));
    await ingest.send('POST', '/v1/follows', JSON.stringify(batch));
    yield end;
  }
}

function activities(name: PhaseName, count: number, activity: (index: number) => object): Phase {
  return {
    name,
    count,
    async *send(ingest, done) {
      for await (const { place } of postBatches(ingest, itemsOf(done, count, activity))) {
        yield place;
      }
    },
  };
}

async function* itemsOf(start: number, end: number, activity: (index: number) => object): AsyncGenerator<Item<number>> {
  for (const index of numbers(start, end)) {
    yield { json: JSON.stringify(activity(index)), label: `activity ${index}`, place: index + 1 };
  }
}

function* numbers(start: number, end: number): Generator<number> {
  for (let number = start; number < end; number += 1) {
    yield number;
  }
}
