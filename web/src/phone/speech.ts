/** Is somebody talking into a muted microphone? Pure, fed with one level per tick. */

/** Above this a person speaks; below is breath and fans. */
const SPEECH_DB = -45;
/** So many loud ticks within the window are speech, not a knock on the desk. */
const LOUD_TICKS = 4;
export const WINDOW_TICKS = 10;
export const TICK_MS = 150;

export type Levels = readonly number[];

export function withLevel(levels: Levels, level: number): Levels {
  return [...levels, level].slice(-WINDOW_TICKS);
}

export function isSpeech(levels: Levels): boolean {
  return levels.filter((level) => level > SPEECH_DB).length >= LOUD_TICKS;
}

/** 0 to 1 for a meter: -60 dB is empty, -6 dB is full. */
export function meterOf(level: number): number {
  return Math.max(0, Math.min(1, (level + 60) / 54));
}
