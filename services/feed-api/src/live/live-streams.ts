import type { LiveStream } from './live-stream.js';

/** The open streams of a process, by their readers and by the buckets whose logs they are read from. */
export class LiveStreams {
  readonly #ofReader = new Map<string, Set<LiveStream>>();
  readonly #inBucket = new Map<number, Set<LiveStream>>();

  get areNone(): boolean {
    return this.#ofReader.size === 0;
  }

  add(stream: LiveStream): void {
    addTo(this.#ofReader, stream.reader, stream);
    addTo(this.#inBucket, stream.bucket, stream);
  }

  delete(stream: LiveStream): void {
    deleteFrom(this.#ofReader, stream.reader, stream);
    deleteFrom(this.#inBucket, stream.bucket, stream);
  }

  of(reader: string): Iterable<LiveStream> {
    return this.#ofReader.get(reader) ?? [];
  }

  inBucket(bucket: number): LiveStream[] {
    return [...(this.#inBucket.get(bucket) ?? [])];
  }

  all(): LiveStream[] {
    return this.buckets().flatMap((bucket) => this.inBucket(bucket));
  }

  readers(): string[] {
    return [...this.#ofReader.keys()];
  }

  buckets(): number[] {
    return [...this.#inBucket.keys()];
  }
}

function addTo<Key>(sets: Map<Key, Set<LiveStream>>, key: Key, stream: LiveStream): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(stream));
}

function deleteFrom<Key>(sets: Map<Key, Set<LiveStream>>, key: Key, stream: LiveStream): void {
  const set = sets.get(key);
  if (set?.delete(stream) && set.size === 0) {
    sets.delete(key);
  }
}
