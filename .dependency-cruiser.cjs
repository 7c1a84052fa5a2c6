// Who may import whom.
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle means that two files are one. Types may point back: nothing of them is left at run time.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'services-are-apart',
      comment: 'Services meet on Kafka, in TimescaleDB and in Redis. What two of them need is in shared.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/([^/]+)/', pathNot: '^services/$1/' },
    },
    {
      name: 'tools-know-one-door-of-fanout',
      comment: 'What stores the log is one thing, whoever reads it.',
      severity: 'error',
      from: { path: '^deploy/src/' },
      to: { path: '^services/', pathNot: '^services/fanout/src/kafka/log-replay\\.ts$' },
    },
    {
      name: 'shared-knows-no-service',
      severity: 'error',
      from: { path: '^shared/src/' },
      to: { path: '^(services|deploy|bench|shared/testing)/' },
    },
    {
      name: 'kafkajs-in-one-folder-a-service',
      comment: 'It can be replaced only if few files know it.',
      severity: 'error',
      from: { path: '^services/', pathNot: '^services/[^/]+/(src/kafka|test)/' },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'express-at-the-door-only',
      severity: 'error',
      from: { path: '^(services|shared)/', pathNot: '/(http|test|testing)/' },
      to: { path: 'node_modules/express' },
    },
    {
      name: 'sources-do-not-import-tests',
      severity: 'error',
      from: { path: '/src/', pathNot: '\\.test\\.ts$' },
      to: { path: '(\\.test\\.ts$|/testing/|node_modules/vitest)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.check.json' },
    enhancedResolveOptions: {
      conditionNames: ['tideline-source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
};
