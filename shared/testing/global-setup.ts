import { findServers } from './servers.js';

/** Finds real servers before the first test; tests learn where they are from the environment that they inherit. */
export default async function setup(): Promise<() => Promise<void>> {
  const servers = await findServers(process.env);
  Object.assign(process.env, servers.urls);
  return () => servers.release();
}
