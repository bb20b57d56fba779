/** A value with one writer and many readers; the shape that `useSyncExternalStore` wants. */

export interface Store<T> {
  get(): T;
  /** Replace the value; readers hear of it only if it is another one. */
  set(next: T): void;
  patch(part: Partial<T>): void;
  subscribe(hear: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const readers = new Set<() => void>();
  const set = (next: T): void => {
    if (Object.is(next, value)) return;
    value = next;
    for (const hear of [...readers]) hear();
  };
  return {
    get: () => value,
    set,
    patch: (part) => set({ ...value, ...part }),
    subscribe: (hear) => {
      readers.add(hear);
      return () => readers.delete(hear);
    },
  };
}
