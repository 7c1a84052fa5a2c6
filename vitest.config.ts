import { defineConfig } from 'vitest/config';

const conditions = ['tideline-source', 'node'];
const resolve = { conditions };
const ssr = { resolve: { conditions, externalConditions: ['tideline-source'] } };

export default defineConfig({
  test: {
    reporters: ['default', './shared/testing/count-reporter.ts'],
    projects: [
      {
        resolve,
        ssr,
        test: { name: 'unit', include: ['{shared,services/*,deploy}/src/**/*.test.ts'] },
      },
      {
        resolve,
        ssr,
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
