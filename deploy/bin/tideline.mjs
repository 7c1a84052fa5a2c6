#!/usr/bin/env node
// `npx tideline COMMAND …` in a checkout, also before anything is installed: run.mjs sees to that.
process.argv.splice(2, 0, 'tideline');
await import('../run.mjs');
