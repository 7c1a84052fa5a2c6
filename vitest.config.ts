import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Packages of this repository are tested from their sources: nothing has to be built first. */
const resolve = {
  alias: [
    { find: /^@tideline\/(shared|deploy)\/(.*)$/, replacement: `${root}$1/src/$2.ts` },
    { find: /^@tideline\/testing\/(.*)$/, replacement: `${root}shared/testing/$1.ts` },
    { find: /^@tideline\/(ingest|fanout|feed-api)\/(.*)$/, replacement: `${root}services/$1/src/$2.ts` },
  ],
};

export default defineConfig({
  resolve,
  test: {
    reporters: ['default', './shared/testing/count-reporter.ts'],
    coverage: {
      // What runs in processes of their own, such as a fanout that a test kills, is not counted.
      include: ['{shared,services/*,deploy}/src/**/*.ts'],
      exclude: ['**/*.test.ts'],
      reporter: ['text-summary', 'html', 'json-summary'],
      reportOnFailure: true,
    },
    projects: [
      {
        resolve,
        // Speed is no matter of tests: a property takes longer while coverage is measured, or the machine is busy.
        test: { name: 'unit', include: ['{shared,services/*,deploy}/src/**/*.test.ts'], testTimeout: 60_000 },
      },
      {
        resolve,
        test: {
          name: 'system',
          include: ['{shared,services/*,deploy}/test/**/*.test.ts'],
          globalSetup: ['./shared/testing/global-setup.ts'],
          // Every file has the servers' two cores to itself: what is tested is behaviour, and waiting is bounded.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
