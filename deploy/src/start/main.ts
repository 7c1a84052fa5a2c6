import { TidelineError } from '@tideline/shared/errors';
import { exitStatus, start } from './start.js';

try {
  await start(process.env);
} catch (error) {
  if ((error as Error).name === 'AbortError') {
    console.log('Stopped.');
    process.exit(exitStatus.stopped);
  }
  // What Tideline throws on purpose is a sentence for the operator; a stack would hide it.
  console.error(error instanceof TidelineError ? error.message : error);
  process.exit(exitStatus.failed);
}
