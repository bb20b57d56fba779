/** How long to wait before the next try: doubling, capped, with full jitter. */

const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/**
 * Delay before try number `attempt` (1 is the first repeat). `random` is in [0, 1).
 * Half of the step is certain, half is jitter, so that a thousand browsers do not come back at once.
 */
export function backoffMs(attempt: number, random: number): number {
  const step = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(step / 2 + (step / 2) * random);
}
