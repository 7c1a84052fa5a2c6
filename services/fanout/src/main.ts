import { runService } from '@tideline/shared/run-service';
import { readConfig } from './config.js';
import { startFanout } from './service.js';

await runService('fanout', (onFatal) => startFanout(readConfig(process.env), onFatal));
