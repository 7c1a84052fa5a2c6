import { runService } from '@tideline/shared/run-service';
import { readConfig } from './config.js';
import { startIngest } from './service.js';

await runService('ingest', () => startIngest(readConfig(process.env)));
