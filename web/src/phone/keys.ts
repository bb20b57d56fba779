/** Which key does what. */

export const keys = [
  ["a", "answer"],
  ["d", "decline"],
  ["m", "mute"],
  ["h", "hold"],
  ["e", "hang_up"],
  ["?", "help"],
] as const;

export type KeyDeed = (typeof keys)[number][1];

interface Press {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  repeat: boolean;
  target: EventTarget | null;
}

/** What a key press asks for; null while typing, with modifiers, or for any other key. */
export function deedOf(press: Press): KeyDeed | null {
  if (press.ctrlKey || press.altKey || press.metaKey || press.repeat) return null;
  if (isTypedInto(press.target)) return null;
  const found = keys.find(([key]) => key === press.key.toLowerCase());
  return found?.[1] ?? null;
}

const TYPED_INTO = "input, textarea, select, [contenteditable], [role=listbox], [role=dialog]";

function isTypedInto(target: EventTarget | null): boolean {
  const element = target as Partial<Element> | null;
  return typeof element?.closest === "function" && element.closest(TYPED_INTO) !== null;
}
