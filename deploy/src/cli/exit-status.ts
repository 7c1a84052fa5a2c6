/** What every command ends with; docs/operating.md has the same table. */
export const exitStatus = { done: 0, failed: 1, wrongUsage: 2, undecided: 3, unavailable: 4, stopped: 130 } as const;

export const exitMeanings: Record<keyof typeof exitStatus, string> = {
  done: 'done, and nothing is wrong',
  failed: 'failed, or something is wrong, which was said',
  wrongUsage: 'wrong usage or a wrong setting; nothing was done',
  undecided: 'undecided: what differs may only be on its way (`verify`, `dead-letters replay`, `erase`)',
  unavailable: 'a server that is needed does not answer; the same command may succeed later',
  stopped: 'stopped by Ctrl-C',
};

/** For the help of every command. */
export function exitStatusText(): string {
  const lines = Object.entries(exitMeanings).map(
    ([name, meaning]) => `  ${String(exitStatus[name as keyof typeof exitStatus]).padEnd(5)}${meaning}`,
  );
  return `\nExit status:\n${lines.join('\n')}`;
}
