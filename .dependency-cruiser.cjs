/** Imports point one way (docs/architecture.md); this file is what refuses the rest. */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'workflows-see-only-saga',
      comment:
        'What runs in the deterministic sandbox: definitions, libs/saga, zod, and types of activities.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        pathNot: [
          '^workflows/',
          '^libs/saga/',
          '^libs/schedules/scheduled-run\\.ts$',
          'node_modules/(zod|@temporalio/workflow|@temporalio/common)/',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'definitions-are-pure',
      comment:
        'define.ts and what describes a kind is imported by the API: no engine, no Node module behind it.',
      severity: 'error',
      from: { path: '^libs/saga/(define|implement|failure|failure-plan|duration|state|describe)\\.ts$' },
      to: { path: ['@temporalio', '^libs/(?!saga/)'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'sandbox-has-no-node',
      severity: 'error',
      from: { path: '^(workflows/|libs/saga/(define|failure|duration|state|temporal/workflow))' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'activities-see-only-libs',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: '^(apps|scripts|bench|test)/' },
    },
    {
      name: 'libs-see-no-app',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(apps|workflows|activities|scripts|bench|test)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'api-sees-definitions-only',
      severity: 'error',
      from: { path: '^apps/api/' },
      to: { path: '^(activities/|workflows/temporal\\.ts)' },
    },
    {
      name: 'apps-are-strangers',
      comment: 'An app never imports an app, except the CLI, which starts them.',
      severity: 'error',
      from: { path: '^apps/(?!cli/)([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'tests-stay-outside',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-dev-packages-at-run-time',
      severity: 'error',
      from: { path: '^(apps|libs|workflows|activities)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['^bench/', '\\.d\\.ts$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
