import { runService } from '@tideline/shared/run-service';
import { readConfig } from './config.js';
import { startFeedApi } from './service.js';

await runService('feed-api', () => startFeedApi(readConfig(process.env)));
