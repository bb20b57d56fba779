/** What a person set in this browser: devices, volumes, keys. Kept in local storage. */

import { createStore, type Store } from "./store";

export interface Preferences {
  /** Device ids; null means the system's default. */
  microphone: string | null;
  speaker: string | null;
  ringer: string | null;
  /** 0 to 1. */
  ringerVolume: number;
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
  shortcuts: boolean;
  /** The business number last called from. */
  numberId: string | null;
}

export const defaultPreferences: Preferences = {
  microphone: null,
  speaker: null,
  ringer: null,
  ringerVolume: 0.7,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  shortcuts: true,
  numberId: null,
};

const KEY = "callgate.preferences";

/** Read what was kept; anything unknown or of another type falls back to its default. */
export function parsePreferences(text: string | null): Preferences {
  const kept = parseObject(text);
  const entries = Object.entries(defaultPreferences).map(([name, standard]) => {
    const value = kept[name];
    const isNullableText = standard === null && (value === null || typeof value === "string");
    const isSameType = standard !== null && typeof value === typeof standard;
    return [name, isNullableText || isSameType ? value : standard];
  });
  return Object.fromEntries(entries) as Preferences;
}

function parseObject(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return value !== null && typeof value === "object"
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** The preferences of this browser; changes made in another tab arrive too. */
export function openPreferences(storage: Storage): Store<Preferences> {
  const store = createStore(parsePreferences(storage.getItem(KEY)));
  store.subscribe(() => storage.setItem(KEY, JSON.stringify(store.get())));
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) store.set(parsePreferences(event.newValue));
  });
  return store;
}
