/** Ticks from a worker: the timers of a page in the background are slowed down, these are not. */

const EVERY_MS = 5_000;

setInterval(() => postMessage("tick"), EVERY_MS);

export {};
