import { TidelineError } from './errors.js';
import { createLogger, type Logger } from './logger.js';

/** A running service. `stop` finishes what was begun and releases everything. */
export interface Service {
  stop(): Promise<void>;
}

/** No stop takes longer: then the process ends as it is, which every part must survive anyway. */
const stopTimeoutMs = 20_000;

/**
 * Runs a service until SIGINT or SIGTERM, then stops it. A start that fails, an uncaught error, a stop that takes
 * longer than 20 s and a service that says it cannot go on (`onFatal`) end the process with status 1.
 */
export async function runService(
  name: string,
  start: (onFatal: (reason: string) => void) => Promise<Service>,
): Promise<void> {
  const logger = createLogger(name, 'info');
  process.on('uncaughtException', (error) => fail(logger, error, 'uncaught error'));
  process.on('unhandledRejection', (error) => fail(logger, error, 'unhandled rejection'));

  let service: Service;
  try {
    service = await start((reason) => fail(logger, undefined, reason));
  } catch (error) {
    return fail(logger, error, `${name} cannot start`);
  }
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) {
        return;
      }
      stopping = true;
      logger.info({ signal }, `${name} is stopping`);
      setTimeout(() => fail(logger, undefined, `${name} did not stop in time`), stopTimeoutMs).unref();
      service.stop().then(
        () => {
          logger.info(`${name} has stopped`);
          process.exit(0);
        },
        (error: unknown) => fail(logger, error, `${name} could not stop cleanly`),
      );
    });
  }
}

function fail(logger: Logger, error: unknown, message: string): void {
  // A wrong setting is the operator's to mend: the sentence says it all, a stack would hide it.
  if (error instanceof TidelineError && error.code === 'configuration') {
    logger.fatal(`${message}: ${error.message}`);
  } else {
    logger.fatal({ err: error }, message);
  }
  process.exit(1);
}
